"""Rows of `notices`: added by transactions that have something to tell, taken by whichever worker is first."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update

from tollway.billing.notices import Notice, NoticeKind, pause_after
from tollway.clock import utc_now
from tollway.storage.sql.accounting_tables import notices
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_missing

_DUE: Final = (
    select(notices.c.id, notices.c.kind, notices.c.payload, notices.c.created_at, notices.c.attempts)
    .where(notices.c.due_at <= bindparam("now"))
    .order_by(notices.c.due_at, notices.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ANY_DUE: Final = select(notices.c.id).where(notices.c.due_at <= bindparam("now")).limit(1)
_TAKE: Final = (
    update(notices)
    .where(notices.c.id == bindparam("notice_id"))
    .values(attempts=bindparam("tried"), due_at=bindparam("until"))
)
_FORGET: Final = delete(notices).where(notices.c.id == bindparam("notice_id"))


def announce(connection: Connection, id_: str, kind: NoticeKind, payload: dict[str, Any], now: datetime) -> None:
    """Add a notice, unless the one with this id waits already."""
    row = {"id": id_, "kind": kind.value, "payload": payload, "attempts": 0, "due_at": now, "created_at": now}
    insert_missing(connection, notices, row)


class SqlNotices:
    """Implements Notices. `now` gives the present instant."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def take(self, limit: int) -> tuple[Notice, ...]:
        now = self._now()
        if not await self._database.read(lambda connection: connection.execute(_ANY_DUE, {"now": now}).first()):
            return ()  # the ordinary case needs no transaction that may write
        return await self._database.write(lambda connection: _take(connection, limit, now))

    async def forget(self, notice_id: str) -> None:
        await self._database.write(lambda connection: connection.execute(_FORGET, {"notice_id": notice_id}))


def _take(connection: Connection, limit: int, now: datetime) -> tuple[Notice, ...]:
    rows = connection.execute(_DUE, {"now": now, "most": limit}).all()
    taken = tuple(Notice(id_, kind, payload, created_at, tried + 1) for id_, kind, payload, created_at, tried in rows)
    for notice in taken:
        until = now + pause_after(notice.attempts)
        connection.execute(_TAKE, {"notice_id": notice.id, "tried": notice.attempts, "until": until})
    return taken
