"""What usage rows say of a person besides money, gone: the rows themselves stay, under a pseudonym (guarantees P3).

An origin that somebody else's requests have as well is no longer theirs and stays. There is no index by origin, because
each request would pay for it; so before anybody is erased all rows are looked through, in steps, and in the transaction
only those that have come since.
"""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from tollway.storage.sql.accounting_tables import usage_origins, usage_prompts
from tollway.storage.sql.database import Database
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import usage, usage_metadata

_ROWS_AT_ONCE: Final = 50_000

_THEIRS: Final = select(usage.c.id).where(usage.c.user_id == bindparam("erased"))
_ORIGINS: Final = (
    select(usage_metadata.c.origin_id)
    .where(usage_metadata.c.id.in_(_THEIRS), usage_metadata.c.origin_id.is_not(None))
    .distinct()
)
_STEP_END: Final = (
    select(usage_metadata.c.id)
    .where(usage_metadata.c.id > bindparam("after"))
    .order_by(usage_metadata.c.id)
    .limit(1)
    .offset(_ROWS_AT_ONCE - 1)
)
_NEWEST: Final = select(usage_metadata.c.id).order_by(usage_metadata.c.id.desc()).limit(1)
_OF_OTHERS: Final = (
    select(usage_metadata.c.origin_id)
    .join_from(usage_metadata, usage, usage.c.id == usage_metadata.c.id)
    .where(usage_metadata.c.id > bindparam("after"), among(usage_metadata.c.origin_id, "origins"))
    .where(usage.c.user_id != bindparam("erased"))
    .distinct()
)
_OF_OTHERS_UP_TO: Final = _OF_OTHERS.where(usage_metadata.c.id <= bindparam("last"))
_UNLINK: Final = update(usage_metadata).where(usage_metadata.c.id.in_(_THEIRS)).values(origin_id=None, session_id=None)
_PROMPTS: Final = delete(usage_prompts).where(usage_prompts.c.id.in_(_THEIRS))
_FORGET: Final = delete(usage_origins).where(among(usage_origins.c.id, "origins"))


class Shared(NamedTuple):
    """Origins of somebody that requests of others have too, as of requests up to `seen`."""

    origins: AbstractSet[str]
    seen: str


async def shared_origins(database: Database, user_id: str) -> Shared:
    """Raises StoreUnavailableError."""
    who = {"erased": user_id}
    alone = set(await database.read(lambda connection: connection.execute(_ORIGINS, who).scalars().all()))
    shared: set[str] = set()
    seen = ""

    def step(connection: Connection) -> str:
        """Returns how far it went; "" when there is no more."""
        end = connection.execute(_STEP_END, {"after": seen}).scalar() or connection.execute(_NEWEST).scalar() or ""
        if end > seen:
            values = {**who, "after": seen, "last": end, "origins": pack(alone)}
            shared.update(connection.execute(_OF_OTHERS_UP_TO, values).scalars())
        return end

    while alone and (end := await database.read(step)) > seen:
        seen = end
        alone -= shared
    return Shared(shared, seen)


def forget_particulars(connection: Connection, user_id: str, shared: Shared) -> None:
    """Addresses, devices, labels, sessions and prompts of the user's requests."""
    who = {"erased": user_id}
    alone = set(connection.execute(_ORIGINS, who).scalars()) - shared.origins
    if alone:
        values = {**who, "after": shared.seen, "origins": pack(alone)}
        alone -= set(connection.execute(_OF_OTHERS, values).scalars())
    connection.execute(_UNLINK, who)
    connection.execute(_PROMPTS, who)
    if alone:
        connection.execute(_FORGET, {"origins": pack(alone)})
