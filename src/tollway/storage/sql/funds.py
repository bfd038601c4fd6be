"""SqlFunds: the FundsStore on SQLite and PostgreSQL. Each step is one transaction and idempotent by request id.

The budgets are locked first, in lock order, and everything else is read after that, so that two steps about the same
money, in whatever processes, happen one after the other. A hold is a row of `holds` while it is open; a settled request
is known by its row of `usage`, so a settled id can never be held again. An id whose hold was released or expired can:
nothing was charged for it.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, literal, select, union_all

from tollway.billing.ledger import (
    BudgetRef,
    Hold,
    HoldOrder,
    HoldRefused,
    Outcome,
    Receipt,
    cut_hold,
)
from tollway.clock import utc_now
from tollway.money import Microdollars
from tollway.storage.sql import budgets, settlement
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import holds, usage

EXPIRED_PER_TRANSACTION: Final = 100

_KNOWN: Final = union_all(
    select(holds.c.amount_microdollars, holds.c.budgets, holds.c.usage_day, literal(False).label("settled")).where(
        holds.c.request_id == bindparam("request_id")
    ),
    select(usage.c.hold_microdollars, usage.c.budgets, usage.c.usage_day, literal(True)).where(
        usage.c.id == bindparam("request_id")
    ),
)
_INSERT: Final = insert(holds)
_END: Final = (
    delete(holds)
    .where(holds.c.request_id == bindparam("ended_id"))
    .returning(holds.c.amount_microdollars, holds.c.budgets)
)
_OVERDUE: Final = (
    select(holds.c.request_id, holds.c.budgets)
    .where(holds.c.expires_at <= bindparam("now"))
    .order_by(holds.c.expires_at)
    .limit(EXPIRED_PER_TRANSACTION)
)
_EXPIRE: Final = (
    delete(holds)
    .where(holds.c.request_id.in_(bindparam("ids", expanding=True)))
    .returning(holds.c.amount_microdollars, holds.c.budgets)
)


class RequestSettledError(Exception):
    """A hold was asked for under the id of a request that has been charged: a bug, because ids are made by us."""


class SqlFunds:
    """Implements FundsStore. `now` gives the present instant, for the time-stamps of rows and the end of holds."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def hold(self, order: HoldOrder) -> Hold | HoldRefused:
        """Take the hold from all budgets or from none. Raises RequestSettledError for an id that was charged, and
        ValueError when the id already holds money of other budgets."""
        now = self._now()
        return await self._database.write(lambda connection: take(connection, order, now))

    async def close(self, outcome: Outcome) -> Receipt:
        """Write the outcome once; again gives the stored receipt. Also when the hold has expired meanwhile."""
        now = self._now()
        return await self._database.write(lambda connection: settle(connection, outcome, now))

    async def release(self, hold: Hold) -> None:
        now = self._now()
        await self._database.write(lambda connection: _release(connection, hold, now))

    async def balance(self, budget: BudgetRef) -> int:
        """What is available now; MICRODOLLARS_MAX for a member's day or key without a limit."""
        stored = await self._database.read(lambda connection: budgets.read(connection, budget.id))
        return budgets.available(stored, budget)

    async def expire_holds(self) -> int:
        now, ended = self._now(), 0
        while count := await self._database.write(lambda connection: _expire(connection, now)):
            ended += count
        return ended


def take(connection: Connection, order: HoldOrder, now: datetime) -> Hold | HoldRefused:
    """Take a hold inside the transaction of `connection`."""
    locked = budgets.lock(connection, order.budgets, now)
    ids = tuple(ref.id for ref in order.budgets)
    known = connection.execute(_KNOWN, {"request_id": order.request_id}).first()
    if known is not None:
        if known.settled:
            raise RequestSettledError(f"request {order.request_id} has been charged already")
        if known.budgets != ids:
            raise ValueError(f"request {order.request_id} already holds money of other budgets")
        return Hold(order.request_id, Microdollars(known.amount_microdollars), order.budgets, known.usage_day)
    available = [(left, ref) for ref in order.budgets if (left := locked[ref.id].available_to(ref)) is not None]
    amount = cut_hold(order.worst_case, [left for left, _ in available], order.policy)
    if amount is None:
        left, ref = min(available, key=lambda pair: pair[0])
        return HoldRefused(ref, Microdollars(left))
    budgets.move(connection, locked.values(), now, held=amount)
    row = {
        "request_id": order.request_id,
        "amount_microdollars": amount,
        "budgets": ids,
        "usage_day": order.usage_day,
        "expires_at": order.expires_at,
        "created_at": now,
    }
    connection.execute(_INSERT, row)
    return Hold(order.request_id, Microdollars(amount), order.budgets, order.usage_day)


def settle(connection: Connection, outcome: Outcome, now: datetime) -> Receipt:
    """Settle inside the transaction of `connection`."""
    hold = outcome.hold
    locked = budgets.lock(connection, hold.budgets, now)
    payer = locked[hold.budgets[0].id]
    freed = _end(connection, hold)
    if freed is None:  # settled before, or expired
        charge = settlement.charged(connection, hold.request_id)
        if charge is not None:
            return Receipt(hold.request_id, charge, payer.balance, repeated=True)
    budgets.move(connection, locked.values(), now, spent=outcome.charge, held=-(freed or 0))
    settlement.write(connection, outcome, now)
    balance = Microdollars(payer.balance - outcome.charge)
    return Receipt(hold.request_id, outcome.charge, balance, repeated=False)


def _end(connection: Connection, hold: Hold) -> int | None:
    """End an open hold and return how much it held; None when it had ended already. Its budgets are locked."""
    row = connection.execute(_END, {"ended_id": hold.request_id}).first()
    if row is None:
        return None
    if row.budgets != tuple(ref.id for ref in hold.budgets):
        raise ValueError(f"request {hold.request_id} holds money of other budgets")
    return int(row.amount_microdollars)


def _release(connection: Connection, hold: Hold, now: datetime) -> None:
    locked = budgets.lock(connection, hold.budgets, now)
    budgets.move(connection, locked.values(), now, held=-(_end(connection, hold) or 0))


def _expire(connection: Connection, now: datetime) -> int:
    overdue = connection.execute(_OVERDUE, {"now": now}).all()
    if not overdue:
        return 0
    locked = budgets.lock_existing(connection, sorted({id_ for row in overdue for id_ in row.budgets}))
    ended = connection.execute(_EXPIRE, {"ids": [row.request_id for row in overdue]}).all()
    freed: Counter[str] = Counter()
    for row in ended:
        freed.update(dict.fromkeys(row.budgets, row.amount_microdollars))
    for id_, amount in freed.items():
        budgets.move(connection, [locked[id_]], now, held=-amount)
    return len(overdue)
