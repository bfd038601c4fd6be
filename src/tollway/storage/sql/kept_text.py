"""Text of requests that is kept for a time only: which organizations want it kept, and the end of what was.

An organization that wants none any more, or is deleted, has no time set, so all of its own goes. Source: guarantees P1.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Delete, Table, bindparam, delete, func, select

from tollway.admin.records import SOFT_DELETED
from tollway.identity.organization import KEPT_DAYS_MAX
from tollway.storage.sql.accounting_tables import usage_prompts
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import organizations, users
from tollway.storage.sql.transcript_tables import request_log

DELETED_AT_ONCE: Final = 100
STEPS_MAX: Final = 1_000

_WANTED: Final = select(organizations.c.id, organizations.c.settings).where(
    organizations.c.id.in_(bindparam("ids", expanding=True)), organizations.c.deleted_at.is_(None)
)

# Locked against a deletion under way, which locks the same rows: either it sees what we write, or we see that it was.
_THERE: Final = (
    select(users.c.id, users.c.blocked_reason)
    .where(users.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(users.c.id)
    .with_for_update(read=True)
)


def deleted_users(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Of the users those that are deleted. Until the transaction's end nobody deletes another of them."""
    found = connection.execute(_THERE, {"ids": sorted(set(ids))})
    return {user.id for user in found if (user.blocked_reason or "").startswith(SOFT_DELETED)}


class KeptText:
    """The rows of one table with `id`, `organization_id` and `created_at`. `setting`: the organization's, in days."""

    def __init__(self, table: Table, setting: str) -> None:
        self._setting = setting
        owner, made = table.c.organization_id, table.c.created_at
        self._next_owner = select(func.min(owner)).where(owner > bindparam("after"))
        self._delete_personal = _delete_oldest(table, owner.is_(None), made < bindparam("before"))
        self._delete_owned = _delete_oldest(table, owner == bindparam("owner"), made < bindparam("before"))
        self._delete_unwanted = _delete_oldest(table, owner == bindparam("owner"))

    def wanted_days(self, connection: Connection, ids: Iterable[str]) -> dict[str, int]:
        """Of the organizations, those that want it, and for how many days."""
        rows = connection.execute(_WANTED, {"ids": sorted(set(ids))})
        days = {row.id: row.settings.get(self._setting) for row in rows}
        return {id_: one for id_, one in days.items() if type(one) is int and 1 <= one <= KEPT_DAYS_MAX}

    async def delete_expired(
        self,
        database: Database,
        now: datetime,
        personal_days: int,
        rows_max: int = DELETED_AT_ONCE,
        steps_max: int = STEPS_MAX,
    ) -> None:
        """In steps of at most so many rows, each a transaction; what is left after the last one goes the next time.

        Raises StoreUnavailableError.
        """
        before = now - timedelta(days=personal_days)
        owner: str | None = None
        for _ in range(steps_max):
            at = {"owner": owner, "before": before, "rows_max": rows_max}
            deleted = await database.write(partial(self._delete, at, now))
            if deleted < rows_max:
                owner = await database.read(partial(self._owner_after, owner))
                if owner is None:
                    return

    def _owner_after(self, owner: str | None, connection: Connection) -> str | None:
        found: str | None = connection.execute(self._next_owner, {"after": owner or ""}).scalar()
        return found

    def _delete(self, at: Mapping[str, Any], now: datetime, connection: Connection) -> int:
        """The oldest of one owner's whose time is over; how many there were."""
        owner: str | None = at["owner"]
        if owner is None:
            return connection.execute(self._delete_personal, at).rowcount
        days = self.wanted_days(connection, (owner,)).get(owner)
        if days is None:
            return connection.execute(self._delete_unwanted, at).rowcount
        return connection.execute(self._delete_owned, {**at, "before": now - timedelta(days=days)}).rowcount


def _delete_oldest(table: Table, *conditions: Any) -> Delete:
    oldest = select(table.c.id).where(*conditions).order_by(table.c.created_at).limit(bindparam("rows_max"))
    return delete(table).where(table.c.id.in_(oldest.scalar_subquery()))


PROMPTS: Final = KeptText(usage_prompts, "prompt_prefix_days")
REQUESTS: Final = KeptText(request_log, "request_log_days")
