"""Rows of `leases`: what workers have taken out of budgets, to cut holds from it in memory.

For every budget `held` is the sum of its leases. A worker keeps track of its slice by itself: what is free, what its
open requests hold, and what ended requests used that are not settled yet, which together is the row's amount.
Everything here runs inside the transaction of `connection`, and touches a lease under the lock of its budget only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Insert,
    Text,
    bindparam,
    delete,
    false,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tollway.billing.lease import divide
from tollway.billing.ledger import HoldRefused
from tollway.billing.store import Ask, Leased, LeaseOrder, Recalled
from tollway.money import Microdollars
from tollway.storage.sql import budgets, workers
from tollway.storage.sql.budgets import Budget
from tollway.storage.sql.packed import among, pack, rows
from tollway.storage.sql.tables import leases

_OF_BUDGETS: Final = select(leases.c.budget_id, leases.c.worker_id, leases.c.amount_microdollars).where(
    among(leases.c.budget_id, "ids")
)
_OF_WORKER: Final = select(leases.c.budget_id, leases.c.amount_microdollars).where(
    leases.c.worker_id == bindparam("worker"), among(leases.c.budget_id, "ids")
)
_RECALL: Final = (
    update(leases)
    .where(
        among(leases.c.budget_id, "ids"),
        leases.c.worker_id != bindparam("worker"),
        leases.c.amount_microdollars > 0,
    )
    .values(recalled=true())
)
_REMOVE: Final = delete(leases).where(leases.c.worker_id == bindparam("worker"), among(leases.c.budget_id, "ids"))


@dataclass(frozen=True, slots=True)
class _Division:
    """How one budget would be divided: `leased` is the worker's own lease, `others` all the others'; `parts` is what
    the request holds and what the worker keeps, None when the budget refuses."""

    ask: Ask
    leased: int
    free: int
    others: int
    within_reach: int
    parts: tuple[int, int] | None

    @property
    def id(self) -> str:
        return self.ask.budget.id

    @property
    def is_short(self) -> bool:
        return self.parts is None or self.parts[0] < self.ask.need


def lease(connection: Connection, order: LeaseOrder, now: datetime) -> Leased | Recalled | HoldRefused:
    """See Books.lease."""
    workers.require(connection, order.worker_id)
    locked = budgets.lock(connection, {ask.budget.id: ask.budget for ask in order.asks}, now)
    divisions = _divide(connection, order, locked)
    short = [division for division in divisions if division.is_short]
    recallable = [] if order.is_last_try else [division for division in short if division.others]
    if recallable:
        connection.execute(_RECALL, {"worker": order.worker_id, "ids": pack(one.id for one in recallable)})
        return Recalled(_tightest(recallable).ask.budget)
    refusing = [division for division in short if division.parts is None]
    if refusing:
        tightest = _tightest(refusing)
        return HoldRefused(tightest.ask.budget, Microdollars(tightest.within_reach))
    if short:
        budgets.mark(connection, (one.id for one in short), order.request_id, order.worker_id)
    return _take(connection, order, locked, divisions, now)


def _divide(connection: Connection, order: LeaseOrder, locked: Mapping[str, Budget]) -> list[_Division]:
    if len(locked) != len(order.asks):
        raise ValueError("a lease order names a budget twice")
    leased: dict[str, dict[str, int]] = {id_: {} for id_ in locked}
    for budget_id, worker_id, amount in connection.execute(_OF_BUDGETS, {"ids": pack(locked)}):
        leased[budget_id][worker_id] = amount
    return [_divide_one(order, ask, locked[ask.budget.id], leased[ask.budget.id]) for ask in order.asks]


def _divide_one(order: LeaseOrder, ask: Ask, budget: Budget, leased: Mapping[str, int]) -> _Division:
    available = budget.available_to(ask.budget)
    if available is None:
        raise ValueError(f"{ask.budget.id} has no limit; nothing is leased from it")
    own = leased.get(order.worker_id, 0)
    free = min(ask.free, own)  # a worker that lost its lease must not put money on the table that is not there
    parts = divide(
        ask.need,
        available + free,
        order.sharers,
        order.policy,
        others_partly_covered=budget.partly_covered not in (None, order.request_id),
    )
    return _Division(ask, own, free, sum(leased.values()) - own, available + free, parts)


def _tightest(divisions: Iterable[_Division]) -> _Division:
    return min(divisions, key=lambda division: division.within_reach)


def _take(
    connection: Connection,
    order: LeaseOrder,
    locked: Mapping[str, Budget],
    divisions: Sequence[_Division],
    now: datetime,
) -> Leased:
    parts = [division.parts for division in divisions if division.parts is not None]
    more = {one.id: held + kept - one.free for one, (held, kept) in zip(divisions, parts, strict=True)}
    budgets.move(connection, locked, now, held=more)
    _put(connection, order.worker_id, {one.id: one.leased + more[one.id] for one in divisions})
    return Leased(
        held=tuple(Microdollars(held) for held, _ in parts), free=tuple(Microdollars(kept) for _, kept in parts)
    )


def give_back(
    connection: Connection, worker_id: str, free: Mapping[str, int], partly_covered: Sequence[str], now: datetime
) -> None:
    """See Books.give_back."""
    if any(amount < 0 for amount in free.values()):
        raise ValueError("an amount to give back is negative")
    marked = budgets.marked(connection, worker_id) if partly_covered else {}
    locked = budgets.lock_existing(connection, {*free, *marked})
    returned = lower(connection, worker_id, free)
    budgets.move(connection, locked, now, held={id_: -amount for id_, amount in returned.items()})
    budgets.clear_marks(connection, locked, partly_covered)


def lower(connection: Connection, worker_id: str, amounts: Mapping[str, int]) -> dict[str, int]:
    """Lower a worker's leases, each by at most what is there, and return by how much; their budgets are locked.

    A lease may be smaller than the worker thinks, or gone, when the worker was given up and its leases were returned.
    """
    there = read(connection, worker_id, amounts)
    less = {id_: least for id_, amount in amounts.items() if (least := min(amount, there.get(id_, 0)))}
    _put(connection, worker_id, {id_: there[id_] - amount for id_, amount in less.items()})
    return less


def read(connection: Connection, worker_id: str, ids: Iterable[str]) -> dict[str, int]:
    """What a worker has leased of these budgets, where it has."""
    found = connection.execute(_OF_WORKER, {"worker": worker_id, "ids": pack(ids)})
    return dict(found.all())


def _put(connection: Connection, worker_id: str, amounts: Mapping[str, int]) -> None:
    """Set the worker's leases of these budgets."""
    some = [(id_, amount) for id_, amount in amounts.items() if amount]
    if some:
        connection.execute(_set(connection.dialect.name), {"worker": worker_id, "amounts": pack(some)})
    if len(some) < len(amounts):
        nothing = [id_ for id_, amount in amounts.items() if not amount]
        connection.execute(_REMOVE, {"worker": worker_id, "ids": pack(nothing)})


@cache
def _set(dialect: str) -> Insert:
    """Insert or update, which the two databases spell alike and SQLAlchemy does not."""
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    amounts = rows("amounts", budget_id=Text, amount=BigInteger)
    values = select(bindparam("worker", type_=Text), amounts.c.budget_id, amounts.c.amount, false()).where(true())
    key = ["worker_id", "budget_id"]
    statement = insert(leases).from_select([*key, "amount_microdollars", "recalled"], values)
    new = {"amount_microdollars": statement.excluded.amount_microdollars}
    return statement.on_conflict_do_update(index_elements=key, set_=new)  # type: ignore[no-any-return]
