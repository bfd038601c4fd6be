"""What usage rows say of a person besides money, gone: the rows themselves stay, under a pseudonym (guarantees P3)."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from tollway.storage.sql.accounting_tables import usage_origins, usage_prompts
from tollway.storage.sql.tables import usage, usage_metadata

_THEIRS: Final = select(usage.c.id).where(usage.c.user_id == bindparam("erased"))
_ORIGINS: Final = (
    select(usage_metadata.c.origin_id)
    .where(usage_metadata.c.id.in_(_THEIRS), usage_metadata.c.origin_id.is_not(None))
    .distinct()
)
_UNLINK: Final = update(usage_metadata).where(usage_metadata.c.id.in_(_THEIRS)).values(origin_id=None, session_id=None)
_PROMPTS: Final = delete(usage_prompts).where(usage_prompts.c.id.in_(_THEIRS))
_NAMED_BY_OTHERS: Final = select(usage_metadata.c.origin_id).where(usage_metadata.c.origin_id.is_not(None))


def forget_particulars(connection: Connection, user_id: str) -> None:
    """Addresses, devices, labels, sessions and prompts of the user's requests. An origin that somebody else's requests
    have as well is no longer theirs and stays."""
    who = {"erased": user_id}
    origins = connection.execute(_ORIGINS, who).scalars().all()
    connection.execute(_UNLINK, who)
    connection.execute(_PROMPTS, who)
    if origins:
        connection.execute(
            delete(usage_origins).where(usage_origins.c.id.in_(origins), usage_origins.c.id.not_in(_NAMED_BY_OTHERS))
        )
