"""What usage rows say of a person besides money, gone: the rows themselves stay, under a pseudonym (guarantees P3).

An origin that somebody else's requests have as well is no longer theirs and stays. There is no index by origin, because
each request would pay for it; so before anybody is erased all rows are looked through, in steps, and in the transaction
only those that have come since. Rows of requests that were under way then come later, so they are looked for.
"""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from tollway.admin.records import SOFT_DELETED
from tollway.admin.usage import first_id
from tollway.storage.sql.accounting_tables import usage_origins, usage_prompts
from tollway.storage.sql.database import Database
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import usage, usage_metadata, users

_ROWS_AT_ONCE: Final = 50_000
LOOKED_FOR: Final = timedelta(days=30)  # a journal of a dead worker may wait for long
UNDER_WAY: Final = timedelta(days=1)  # the longest that a request takes

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
_TELLS: Final = usage_metadata.c.origin_id.is_not(None) | usage_metadata.c.session_id.is_not(None)
_UNLINK: Final = (
    update(usage_metadata).where(usage_metadata.c.id.in_(_THEIRS), _TELLS).values(origin_id=None, session_id=None)
)
_ERASED: Final = select(users.c.id, users.c.updated_at).where(
    users.c.blocked_reason.startswith(SOFT_DELETED), users.c.updated_at >= bindparam("since")
)
_LATE: Final = (
    select(usage.c.id)
    .join_from(usage, usage_metadata, usage_metadata.c.id == usage.c.id)
    .where(usage.c.user_id == bindparam("erased"), usage.c.id >= bindparam("first"), _TELLS)
    .limit(1)
)
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


async def forget_late(database: Database, now: datetime) -> int:
    """The same of rows that came after their user was erased; returns of how many users there were some.

    Raises StoreUnavailableError.
    """
    values = {"since": now - LOOKED_FOR}
    erased = await database.read(lambda connection: connection.execute(_ERASED, values).all())
    late = 0
    for user_id, erased_at in erased:
        if await _has_late(database, user_id, erased_at):
            shared = await shared_origins(database, user_id)
            await database.write(partial(forget_particulars, user_id=user_id, shared=shared))
            late += 1
    return late


async def _has_late(database: Database, user_id: str, erased_at: datetime) -> bool:
    values = {"erased": user_id, "first": first_id(erased_at - UNDER_WAY)}
    found = await database.read(lambda connection: connection.execute(_LATE, values).first())
    return found is not None
