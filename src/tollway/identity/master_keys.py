"""The keys that seal stored secrets, read from what the operator set. Source: guarantees K1, K2; request-path 8.2.4."""

import re
from base64 import b64decode
from typing import Final

from tollway.identity.sealing import KEY_BYTES, SealingKeys
from tollway.settings import Settings, SettingsError

KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def sealing_keys(settings: Settings) -> SealingKeys:
    """Raises SettingsError, which names at most a key's id."""
    master: dict[str, bytes] = {}
    for entry in settings.master_key_text().split(","):
        id_, colon, text = entry.strip().partition(":")
        if not colon or not KEY_ID.fullmatch(id_):
            raise SettingsError("master_keys: must be id:base64, by commas")
        if id_ in master:
            raise SettingsError(f"master_keys: {id_} is there twice")
        master[id_] = _key(f"master_keys: {id_}", text)
    reference = settings.reference_key_text()
    return SealingKeys(master, next(iter(master)), _key("byok_encryption_key", reference) if reference else None)


def _key(what: str, text: str) -> bytes:
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        raise SettingsError(f"{what}: is not base64") from None
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{what}: must be {KEY_BYTES} bytes")
    return key
