"""Master keys as whoever seals or opens stored secrets gets them: configured, and those that what is stored needs."""

from datetime import datetime

from tollway.admin.master_keys import Standing, prove_master_keys, refusal_of
from tollway.identity.master_keys import sealing_keys
from tollway.identity.sealing import SealingKeys
from tollway.ids import random_bytes
from tollway.observability.logs import get_log
from tollway.settings import Settings, SettingsError
from tollway.storage.sql.admin.secrets import SqlSecrets
from tollway.storage.sql.database import Database

_log = get_log()


async def check_master_keys(settings: Settings, database: Database, now: datetime) -> None:
    """Before anything serves. Raises SettingsError naming ids of keys that are missing or wrong, and
    StoreUnavailableError.

    A secret that is damaged by itself is its owner's trouble alone: it is logged.
    """
    uses = await prove_master_keys(SqlSecrets(database), sealing_keys(settings), random_bytes, now)
    if refusal := refusal_of(uses):
        raise SettingsError(refusal)
    lost = sum(use.secrets for use in uses if use.standing in (Standing.UNKNOWN, Standing.ABANDONED))
    if lost:
        _log.warning("stored_secrets_do_not_open", secrets=lost, see="tollway secrets list")


async def keys_that_seal(settings: Settings, database: Database, now: datetime) -> SealingKeys:
    """For a command that seals. Raises SettingsError when the active key is another than the one of that id which
    others have: what it sealed nobody could open."""
    keys = sealing_keys(settings)
    uses = await prove_master_keys(SqlSecrets(database), keys, random_bytes, now)
    if refusal := refusal_of(use for use in uses if use.is_active):
        raise SettingsError(refusal)
    return keys
