"""Rows of `budgets`: locking them in the one order, creating missing ones, moving what is spent and held."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, select, update

from tollway.billing.ledger import BUDGET_ORDER, BudgetKind, BudgetRef
from tollway.money import MICRODOLLARS_MAX, Microdollars, checked
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import budgets, ledger_accounts

BALANCE_KINDS: Final = frozenset({BudgetKind.USER, BudgetKind.ORGANIZATION})

_PLACE: Final = case({kind.value: place for kind, place in BUDGET_ORDER.items()}, value=budgets.c.kind)
_COLUMNS: Final = (
    budgets.c.id,
    budgets.c.limit_microdollars,
    budgets.c.spent_microdollars,
    budgets.c.held_microdollars,
)
_READ: Final = select(*_COLUMNS).where(budgets.c.id == bindparam("budget_id"))
_LOCK: Final = (
    select(*_COLUMNS)
    .where(budgets.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_PLACE, budgets.c.id)
    .with_for_update()
)
_MOVE: Final = (
    update(budgets)
    .where(budgets.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        spent_microdollars=budgets.c.spent_microdollars + bindparam("spent"),
        held_microdollars=budgets.c.held_microdollars + bindparam("held"),
        updated_at=bindparam("now"),
    )
)
_CREDIT: Final = (
    update(budgets)
    .where(budgets.c.id == bindparam("budget_id"))
    .values(limit_microdollars=budgets.c.limit_microdollars + bindparam("amount"), updated_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Budget:
    """A stored budget. `limit` is None where the limit comes with the BudgetRef."""

    id: str
    limit: int | None
    spent: int
    held: int

    def available_to(self, ref: BudgetRef) -> int | None:
        """Micro-dollars left for `ref`; None means that this budget has no limit."""
        limit = self.limit if ref.kind in BALANCE_KINDS else ref.limit
        return None if limit is None else limit - self.spent - self.held

    @property
    def balance(self) -> Microdollars:
        """Of a user or organization: credited less charged; what is on hold is still theirs."""
        return Microdollars((self.limit or 0) - self.spent)


def read(connection: Connection, budget_id: str) -> Budget | None:
    row = connection.execute(_READ, {"budget_id": budget_id}).first()
    return None if row is None else Budget(*row)


def lock(connection: Connection, refs: Iterable[BudgetRef], now: datetime) -> dict[str, Budget]:
    """Lock the budgets of `refs` in lock order (guarantees I5), creating those that are not there yet."""
    wanted = sorted(refs, key=lambda ref: (BUDGET_ORDER[ref.kind], ref.id))
    found = lock_existing(connection, [ref.id for ref in wanted])
    missing = [ref for ref in wanted if ref.id not in found]
    if not missing:
        return found
    create(connection, missing, now)
    return lock_existing(connection, [ref.id for ref in wanted])


def lock_existing(connection: Connection, ids: list[str]) -> dict[str, Budget]:
    """Lock the rows with these ids, in lock order; ids without a row are left out."""
    return {row.id: Budget(*row) for row in connection.execute(_LOCK, {"ids": ids})}


def create(connection: Connection, refs: Iterable[BudgetRef], now: datetime) -> None:
    """Insert empty budgets, and the ledger accounts behind balances, where they are missing."""
    for ref in refs:
        is_balance = ref.kind in BALANCE_KINDS
        if is_balance:
            account = {"id": ref.id, "kind": ref.kind.value, "created_at": now}
            insert_missing(connection, ledger_accounts, account)
        row = {
            "id": ref.id,
            "kind": ref.kind.value,
            "limit_microdollars": 0 if is_balance else None,
            "spent_microdollars": 0,
            "held_microdollars": 0,
            "updated_at": now,
        }
        insert_missing(connection, budgets, row)


def move(connection: Connection, locked: Iterable[Budget], now: datetime, *, spent: int = 0, held: int = 0) -> None:
    """Add to what is spent and held in each of the locked budgets. Raises MoneyOverflowError beyond 64 bits."""
    ids = []
    for budget in locked:
        checked(budget.spent + spent)
        checked(budget.held + held)
        ids.append(budget.id)
    if ids and (spent or held):
        connection.execute(_MOVE, {"ids": ids, "spent": spent, "held": held, "now": now})


def credit(connection: Connection, account: BudgetRef, amount: int, now: datetime) -> Budget:
    """Raise the credited total of a balance, and return it as it is then. Raises MoneyOverflowError beyond 64 bits."""
    budget = lock(connection, [account], now)[account.id]
    limit = checked((budget.limit or 0) + amount)
    connection.execute(_CREDIT, {"budget_id": account.id, "amount": amount, "now": now})
    return Budget(budget.id, limit, budget.spent, budget.held)


def available(budget: Budget | None, ref: BudgetRef) -> int:
    """Micro-dollars available now, for a budget that may have no row yet; unlimited is the largest amount there is."""
    stored = budget or Budget(ref.id, 0 if ref.kind in BALANCE_KINDS else None, 0, 0)
    left = stored.available_to(ref)
    return MICRODOLLARS_MAX if left is None else left
