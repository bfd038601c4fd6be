"""Rows of `workers`: who is there to share budgets with, and whose leases come back.

A worker's row is locked before any budget.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, false, func, select, update

from tollway.billing.store import SilentWorker, WorkerEndedError
from tollway.storage.sql import budgets, changes
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import leases
from tollway.storage.sql.tables import workers as table

ALIVE_FOR: Final = timedelta(seconds=30)  # after a worker was last seen

_ENDED: Final = select(table.c.ended_at).where(table.c.id == bindparam("worker")).with_for_update(read=True)
_SEE: Final = (
    update(table).where(table.c.id == bindparam("worker"), table.c.ended_at.is_(None)).values(seen_at=bindparam("now"))
)
_COUNT: Final = select(func.count()).where(table.c.ended_at.is_(None), table.c.seen_at > bindparam("since"))
_END: Final = (
    update(table).where(table.c.id == bindparam("worker"), table.c.ended_at.is_(None)).values(ended_at=bindparam("now"))
)
_RECALLED: Final = (
    select(leases.c.budget_id)
    .where(leases.c.worker_id == bindparam("worker"), leases.c.recalled)
    .order_by(leases.c.budget_id)
)
_HEARD: Final = (
    update(leases)
    .where(leases.c.worker_id == bindparam("worker"), among(leases.c.budget_id, "ids"))
    .values(recalled=false())
)
_LEASES: Final = select(leases.c.budget_id, leases.c.amount_microdollars).where(
    leases.c.worker_id == bindparam("worker")
)
_SILENT: Final = (
    select(table.c.id, table.c.node, table.c.seen_at, func.coalesce(func.sum(leases.c.amount_microdollars), 0))
    .outerjoin_from(table, leases, leases.c.worker_id == table.c.id)
    .where(table.c.ended_at.is_(None), table.c.seen_at <= bindparam("since"))
    .group_by(table.c.id, table.c.node, table.c.seen_at)
    .order_by(table.c.seen_at, table.c.id)
)
_RETURN: Final = delete(leases).where(leases.c.worker_id == bindparam("worker"))


def enlist(connection: Connection, worker_id: str, node: str, now: datetime) -> None:
    """See Books.enlist."""
    insert_missing(connection, table, {"id": worker_id, "node": node, "started_at": now, "seen_at": now})


def require(connection: Connection, worker_id: str) -> None:
    """Keep the worker from being retired until this transaction ends. Raises WorkerEndedError when it was before."""
    row = connection.execute(_ENDED, {"worker": worker_id}).first()
    if row is None or row.ended_at is not None:
        raise WorkerEndedError(f"worker {worker_id} is unknown or was retired")


def report(connection: Connection, worker_id: str, now: datetime) -> tuple[int, tuple[str, ...]]:
    """Seen now: how many workers live, at least one, and which slices of this one are recalled; that mark is gone."""
    connection.execute(_SEE, {"worker": worker_id, "now": now})
    alive = connection.execute(_COUNT, {"since": now - ALIVE_FOR}).scalar_one()
    recalled = connection.execute(_RECALLED, {"worker": worker_id}).scalars().all()
    if recalled:
        budgets.lock_existing(connection, recalled)
        connection.execute(_HEARD, {"worker": worker_id, "ids": pack(recalled)})
    return max(alive, 1), tuple(recalled)


def silent(connection: Connection, now: datetime) -> tuple[SilentWorker, ...]:
    """Workers not seen lately that have not ended, with what they lease."""
    found = connection.execute(_SILENT, {"since": now - ALIVE_FOR})
    return tuple(SilentWorker(id_, node, seen_at, int(leased)) for id_, node, seen_at, leased in found)


def is_recalled(connection: Connection, worker_id: str) -> bool:
    """See Books.is_recalled."""
    return connection.execute(_RECALLED.limit(1), {"worker": worker_id}).first() is not None


def retire(connection: Connection, worker_id: str, now: datetime) -> None:
    """See Books.retire."""
    connection.execute(_END, {"worker": worker_id, "now": now})
    of_worker = {"worker": worker_id}
    marked = budgets.marked(connection, worker_id)
    locked = budgets.lock_existing(connection, {*connection.execute(_LEASES, of_worker).scalars(), *marked})
    returned = connection.execute(_LEASES, of_worker).all()
    budgets.move(connection, locked, now, held={row.budget_id: -row.amount_microdollars for row in returned})
    connection.execute(_RETURN, of_worker)
    budgets.clear_marks(connection, locked, set(marked.values()))
    changes.forget_all(connection, worker_id)
