"""Rows of `budgets`: locking them in the one order, creating missing ones, moving what is spent and held.

The lock of a budget covers its leases and its mark too: none of them is changed without it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Text, bindparam, case, select, update

from tollway.billing.ledger import BUDGET_ORDER, BudgetKind, BudgetRef
from tollway.money import MICRODOLLARS_MAX, Microdollars, checked
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.packed import among, pack, rows
from tollway.storage.sql.tables import budgets, ledger_accounts

BALANCE_KINDS: Final = frozenset({BudgetKind.USER, BudgetKind.ORGANIZATION})

_PLACE: Final = case({kind.value: place for kind, place in BUDGET_ORDER.items()}, value=budgets.c.kind)
_COLUMNS: Final = (
    budgets.c.id,
    budgets.c.limit_microdollars,
    budgets.c.spent_microdollars,
    budgets.c.held_microdollars,
    budgets.c.partly_covered_request,
    budgets.c.bonus_due_microdollars,
)
_READ: Final = select(*_COLUMNS).where(budgets.c.id == bindparam("budget_id"))
_LOCK: Final = select(*_COLUMNS).where(among(budgets.c.id, "ids")).order_by(_PLACE, budgets.c.id).with_for_update()
_moves: Final = rows("moves", id=Text, spent=BigInteger, held=BigInteger)
_MOVE: Final = (
    update(budgets)
    .where(budgets.c.id == _moves.c.id)
    .values(
        spent_microdollars=budgets.c.spent_microdollars + _moves.c.spent,
        held_microdollars=budgets.c.held_microdollars + _moves.c.held,
        updated_at=bindparam("now"),
    )
)
_MARK: Final = (
    update(budgets)
    .where(among(budgets.c.id, "ids"))
    .values(partly_covered_request=bindparam("request"), partly_covered_worker=bindparam("worker"))
)
_MARKED: Final = select(budgets.c.id, budgets.c.partly_covered_request).where(
    budgets.c.partly_covered_worker == bindparam("worker")
)
_CREDIT: Final = (
    update(budgets)
    .where(budgets.c.id == bindparam("budget_id"))
    .values(limit_microdollars=budgets.c.limit_microdollars + bindparam("amount"), updated_at=bindparam("now"))
)
_AWAIT_BONUS: Final = (
    update(budgets).where(budgets.c.id == bindparam("budget_id")).values(bonus_due_microdollars=bindparam("due"))
)


class Budget(Struct, frozen=True):
    """A stored budget. `limit` is None where the limit comes with the BudgetRef; `partly_covered`: by which request.

    `bonus_due`: the bonus of a subscriber is due once so much is spent; None: none is waited for.
    """

    id: str
    limit: int | None
    spent: int
    held: int
    partly_covered: str | None = None
    bonus_due: int | None = None

    def available_to(self, ref: BudgetRef) -> int | None:
        """Micro-dollars left for `ref`; None means that this budget has no limit."""
        limit = self.limit if ref.kind in BALANCE_KINDS else ref.limit
        return None if limit is None else limit - self.spent - self.held

    @property
    def balance(self) -> Microdollars:
        """Of a user or organization: credited less charged; what is leased or held is still theirs."""
        return Microdollars((self.limit or 0) - self.spent)


def read(connection: Connection, budget_id: str) -> Budget | None:
    row = connection.execute(_READ, {"budget_id": budget_id}).first()
    return None if row is None else Budget(*row)


async def spent(database: Database, ref: BudgetRef) -> int:
    """Micro-dollars so far; 0 of a budget that has no row yet."""
    found = await database.read(lambda connection: read(connection, ref.id))
    return 0 if found is None else found.spent


def lock(connection: Connection, refs: Mapping[str, BudgetRef], now: datetime) -> dict[str, Budget]:
    """Lock budgets, given by id, in lock order (guarantees I5), and create those that are not there yet."""
    found = lock_existing(connection, refs)
    if len(found) == len(refs):
        return found
    missing = [ref for id_, ref in refs.items() if id_ not in found]
    create(connection, sorted(missing, key=lambda ref: (BUDGET_ORDER[ref.kind], ref.id)), now)
    return lock_existing(connection, refs)


def lock_existing(connection: Connection, ids: Iterable[str]) -> dict[str, Budget]:
    """Lock the rows with these ids, in lock order; ids without a row are left out."""
    return {row[0]: Budget(*row) for row in connection.execute(_LOCK, {"ids": pack(ids)})}


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


def move(
    connection: Connection,
    locked: Mapping[str, Budget],
    now: datetime,
    *,
    spent: Mapping[str, int] | None = None,
    held: Mapping[str, int] | None = None,
) -> None:
    """Add to what is spent and held in locked budgets, by id. Raises MoneyOverflowError beyond 64 bits."""
    spent, held = spent or {}, held or {}
    moves = []
    for id_ in {**spent, **held}:
        budget, more_spent, more_held = locked[id_], spent.get(id_, 0), held.get(id_, 0)
        checked(budget.spent + more_spent)
        checked(budget.held + more_held)
        if more_spent or more_held:
            moves.append((id_, checked(more_spent), checked(more_held)))
    if moves:
        connection.execute(_MOVE, {"moves": pack(moves), "now": now})


def mark(connection: Connection, ids: Iterable[str], request_id: str, worker_id: str) -> None:
    """Name the one partly covered request of these budgets."""
    connection.execute(_MARK, {"ids": pack(ids), "request": request_id, "worker": worker_id})


def marked(connection: Connection, worker_id: str) -> dict[str, str]:
    """The budgets with a partly covered request of this worker, and which request that is."""
    return dict(connection.execute(_MARKED, {"worker": worker_id}).all())


def clear_marks(connection: Connection, locked: Mapping[str, Budget], requests: Collection[str]) -> None:
    """These requests are over: locked budgets that one of them covers only partly are free for the next."""
    ids = [budget.id for budget in locked.values() if budget.partly_covered in requests]
    if ids:
        connection.execute(_MARK, {"ids": pack(ids), "request": None, "worker": None})


def credit(connection: Connection, account: BudgetRef, amount: int, now: datetime) -> Budget:
    """Raise the credited total of a balance, and return it as it is then. Raises MoneyOverflowError beyond 64 bits."""
    budget = lock(connection, {account.id: account}, now)[account.id]
    limit = checked((budget.limit or 0) + amount)
    connection.execute(_CREDIT, {"budget_id": account.id, "amount": amount, "now": now})
    return Budget(budget.id, limit, budget.spent, budget.held, budget.partly_covered, budget.bonus_due)


def await_bonus(connection: Connection, account: BudgetRef, due: int | None) -> None:
    """From which spending on the bonus of a locked account is due; None: there is none to wait for."""
    connection.execute(_AWAIT_BONUS, {"budget_id": account.id, "due": due})


def available(budget: Budget | None, ref: BudgetRef) -> int:
    """Micro-dollars available now, for a budget that may have no row yet; unlimited is the largest amount there is."""
    stored = budget or Budget(ref.id, 0 if ref.kind in BALANCE_KINDS else None, 0, 0)
    left = stored.available_to(ref)
    return MICRODOLLARS_MAX if left is None else left
