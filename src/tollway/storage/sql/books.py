"""Do the books balance? Every cached figure is recomputed from the entries, from one snapshot (guarantees I1, I3)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from tollway.billing.ledger import EntryKind
from tollway.storage.sql.budgets import BALANCE_KINDS
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import (
    budgets,
    credit_transactions,
    holds,
    ledger_accounts,
    ledger_entries,
    usage,
    usage_metadata,
)

_BALANCES: Final = frozenset(kind.value for kind in BALANCE_KINDS)


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not what the books say it must be. Amounts in micro-dollars; `subject` names the row."""

    check: str
    subject: str
    expected: int
    found: int


async def verify_books(database: Database) -> list[Difference]:
    """Every difference there is; empty when the books balance.

    Checked: the trial balance is 0 and all accounts are known; credited, spent and held of each budget; each usage row
    against its entries and its metadata; credit transactions against entries.
    """
    return await database.read_snapshot(lambda connection: list(_differences(connection)))


def _differences(connection: Connection) -> Iterator[Difference]:
    entries = _Entries.read(connection)
    yield from entries.trial_balance(connection)
    yield from _check_budgets(connection, entries)
    yield from _check_usage(connection)
    yield from _check_credits(connection, entries)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Sums of entries by account: what came in, what was charged, what went out otherwise."""

    credited: Counter[str]
    charged: Counter[str]
    debited: Counter[str]

    @classmethod
    def read(cls, connection: Connection) -> "_Entries":
        is_charge = ledger_entries.c.kind == EntryKind.CHARGE.value
        amount = ledger_entries.c.amount_microdollars
        credited = _sums(connection, ledger_entries.c.credit_account, amount)
        charged = _sums(connection, ledger_entries.c.debit_account, case((is_charge, amount), else_=0))
        debited = _sums(connection, ledger_entries.c.debit_account, case((is_charge, 0), else_=amount))
        return cls(credited, charged, debited)

    def trial_balance(self, connection: Connection) -> Iterator[Difference]:
        total = self.credited.total() - self.charged.total() - self.debited.total()
        if total:
            yield Difference("trial balance", "all accounts", 0, total)
        known = set(connection.execute(select(ledger_accounts.c.id)).scalars())
        for account in sorted({*self.credited, *self.charged, *self.debited} - known):
            yield Difference("unknown account", account, 0, self.credited[account] - self.debited[account])


def _check_budgets(connection: Connection, entries: _Entries) -> Iterator[Difference]:
    held = _by_budget(connection, select(holds.c.budgets, func.sum(holds.c.amount_microdollars)).group_by("budgets"))
    counted = _by_budget(connection, select(usage.c.budgets, func.sum(usage.c.cost_microdollars)).group_by("budgets"))
    columns = (
        budgets.c.id,
        budgets.c.kind,
        budgets.c.limit_microdollars,
        budgets.c.spent_microdollars,
        budgets.c.held_microdollars,
    )
    seen = set()
    for row in connection.execute(select(*columns).order_by(budgets.c.id)):
        seen.add(row.id)
        if row.kind in _BALANCES:
            credited = entries.credited[row.id] - entries.debited[row.id]
            yield from _compare("credited", row.id, credited, row.limit_microdollars)
            yield from _compare("charged", row.id, entries.charged[row.id], row.spent_microdollars)
        yield from _compare("spent", row.id, counted[row.id], row.spent_microdollars)
        yield from _compare("held", row.id, held[row.id], row.held_microdollars)
    accounts = {id_ for id_ in (*entries.credited, *entries.charged) if id_.partition(":")[0] in _BALANCES}
    for missing in sorted((accounts | set(held) | set(counted)) - seen):
        yield Difference("missing budget", missing, counted[missing] + held[missing] + entries.credited[missing], 0)


def _check_usage(connection: Connection) -> Iterator[Difference]:
    for kind, column in (
        (EntryKind.CHARGE, usage.c.cost_microdollars),
        (EntryKind.ABSORBED, usage.c.absorbed_microdollars),
    ):
        of_kind = (
            select(ledger_entries.c.request_id, ledger_entries.c.amount_microdollars)
            .where(ledger_entries.c.kind == kind.value, ledger_entries.c.request_id.is_not(None))
            .subquery()
        )
        posted = func.coalesce(of_kind.c.amount_microdollars, 0)
        both = (
            select(usage.c.id, column, posted)
            .outerjoin_from(usage, of_kind, of_kind.c.request_id == usage.c.id)
            .where(column != posted)
        )
        for request_id, cost, amount in connection.execute(both):
            yield Difference(f"usage {kind.value}", request_id, amount, cost)
        orphans = (
            select(of_kind.c.request_id, of_kind.c.amount_microdollars)
            .outerjoin_from(of_kind, usage, usage.c.id == of_kind.c.request_id)
            .where(usage.c.id.is_(None))
        )
        for request_id, amount in connection.execute(orphans):
            yield Difference(f"{kind.value} without usage", request_id, amount, 0)
    bare = (
        select(usage.c.id)
        .outerjoin_from(usage, usage_metadata, usage_metadata.c.id == usage.c.id)
        .where(usage_metadata.c.id.is_(None))
    )
    for request_id in connection.execute(bare).scalars():
        yield Difference("usage without metadata", request_id, 1, 0)
    both_ways = select(holds.c.request_id).join_from(holds, usage, usage.c.id == holds.c.request_id)
    for request_id in connection.execute(both_ways).scalars():
        yield Difference("hold of a settled request", request_id, 0, 1)


def _check_credits(connection: Connection, entries: _Entries) -> Iterator[Difference]:
    account = case(
        (credit_transactions.c.organization_id.is_not(None), "organization:" + credit_transactions.c.organization_id),
        else_="user:" + credit_transactions.c.user_id,
    )
    recorded = _sums(connection, account, credit_transactions.c.amount_microdollars)
    owners = {id_ for id_ in (*entries.credited, *recorded) if id_.partition(":")[0] in _BALANCES}
    for owner in sorted(owners):
        posted = entries.credited[owner] - entries.debited[owner]
        yield from _compare("credit transactions", owner, posted, recorded[owner])


def _compare(check: str, subject: str, expected: int, found: int | None) -> Iterator[Difference]:
    if expected != (found or 0):
        yield Difference(check, subject, expected, found or 0)


def _sums(connection: Connection, key: ColumnElement[str], amount: ColumnElement[int]) -> Counter[str]:
    rows = connection.execute(select(key.label("key"), func.sum(amount)).group_by("key"))
    return Counter({id_: int(total) for id_, total in rows})


def _by_budget(connection: Connection, statement: Select[Any]) -> Mapping[str, int]:
    totals: Counter[str] = Counter()
    for ids, amount in connection.execute(statement):
        totals.update(dict.fromkeys(ids, int(amount)))
    return totals
