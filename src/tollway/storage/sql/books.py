"""Do the books balance? Every cached figure is recomputed from the entries, from one snapshot (guarantees I1, I3)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from tollway.billing.ledger import REVENUE, EntryKind
from tollway.storage.sql.budgets import BALANCE_KINDS
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import (
    budgets,
    credit_transactions,
    leases,
    ledger_accounts,
    ledger_entries,
    usage,
    usage_metadata,
    workers,
)
from tollway.storage.sql.usage_sums import wrong_days

_CHARGES: Final = (EntryKind.CHARGE.value, EntryKind.CORRECTION.value)  # what counts as spent
_OF_REQUESTS: Final = (  # which column of usage says what an entry of a request must be
    (EntryKind.CHARGE, usage.c.cost_microdollars),
    (EntryKind.ABSORBED, usage.c.absorbed_microdollars),
    (EntryKind.CORRECTION, usage.c.corrected_microdollars),
    (EntryKind.ABSORBED_CORRECTION, usage.c.corrected_absorbed_microdollars),
)
SUMMED: Final = "usage summed by day"  # the check whose subjects are days; those can be summed again
STATEMENT_S: Final = 600  # each reads all there is of a table
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
    against its entries and its metadata, and sums per day against rows; credit transactions against entries; no leases
    of workers that have ended, no budget partly covered by a request that is settled.
    """
    return await database.read_snapshot(lambda connection: list(_differences(connection)), statement_s=STATEMENT_S)


def _differences(connection: Connection) -> Iterator[Difference]:
    entries = _Entries.read(connection)
    yield from entries.trial_balance(connection)
    yield from _check_budgets(connection, entries)
    yield from _check_usage(connection)
    yield from _check_leases(connection)
    yield from _check_credits(connection, entries)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Sums of entries by account: what it was charged, corrections included, and what came in otherwise."""

    credited: Counter[str]
    charged: Counter[str]

    @classmethod
    def read(cls, connection: Connection) -> "_Entries":
        amount = ledger_entries.c.amount_microdollars
        is_charge = ledger_entries.c.kind.in_(_CHARGES)
        of_charges, of_others = case((is_charge, amount), else_=0), case((is_charge, 0), else_=amount)
        debit, credit = ledger_entries.c.debit_account, ledger_entries.c.credit_account
        credited, uncharged = _sums(connection, credit, of_others, of_charges)
        debited, charged = _sums(connection, debit, of_others, of_charges)
        credited.subtract(debited)
        charged.subtract(uncharged)
        return cls(credited, charged)

    @property
    def balances(self) -> set[str]:
        """The accounts among them that are somebody's balance."""
        return {id_ for id_ in (*self.credited, *self.charged) if id_.partition(":")[0] in _BALANCES}

    def trial_balance(self, connection: Connection) -> Iterator[Difference]:
        total = self.credited.total() - self.charged.total()
        if total:
            yield Difference("trial balance", "all accounts", 0, total)
        known = set(connection.execute(select(ledger_accounts.c.id)).scalars())
        for account in sorted({*self.credited, *self.charged} - known):
            yield Difference("unknown account", account, 0, self.credited[account] - self.charged[account])


def _check_budgets(connection: Connection, entries: _Entries) -> Iterator[Difference]:
    (leased,) = _sums(connection, leases.c.budget_id, leases.c.amount_microdollars)
    cost = func.sum(usage.c.cost_microdollars + usage.c.corrected_microdollars)
    counted = _by_budget(connection, select(usage.c.budgets, cost).group_by("budgets"))
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
            yield from _compare("credited", row.id, entries.credited[row.id], row.limit_microdollars)
            yield from _compare("charged", row.id, entries.charged[row.id], row.spent_microdollars)
        yield from _compare("spent", row.id, counted[row.id], row.spent_microdollars)
        yield from _compare("held", row.id, leased[row.id], row.held_microdollars)
    for missing in sorted((entries.balances | set(leased) | set(counted)) - seen):
        yield Difference("missing budget", missing, counted[missing] + leased[missing] + entries.credited[missing], 0)


def _check_usage(connection: Connection) -> Iterator[Difference]:
    yield from _check_entries(connection)
    source = ledger_entries.c.source_id
    for kind, column in _OF_REQUESTS:
        posted = select(source).where(source == usage.c.id, ledger_entries.c.kind == kind.value).exists()
        for request_id, stored in connection.execute(select(usage.c.id, column).where(column != 0, ~posted)):
            yield Difference(f"usage {kind.value}", request_id, 0, stored)
    bare = (
        select(usage.c.id)
        .outerjoin_from(usage, usage_metadata, usage_metadata.c.id == usage.c.id)
        .where(usage_metadata.c.id.is_(None))
    )
    for request_id in connection.execute(bare).scalars():
        yield Difference("usage without metadata", request_id, 1, 0)
    for day, expected, found in wrong_days(connection):
        yield Difference(SUMMED, day.isoformat(), expected, found)


def _check_entries(connection: Connection) -> Iterator[Difference]:
    """Those of requests against what their usage says."""
    amount, kind, source = ledger_entries.c.amount_microdollars, ledger_entries.c.kind, ledger_entries.c.source_id
    signed = case((ledger_entries.c.credit_account == REVENUE, amount), else_=-amount)
    stored = case({one.value: column for one, column in _OF_REQUESTS}, value=kind)
    wrong = (
        select(source, kind, signed, stored)
        .outerjoin_from(ledger_entries, usage, usage.c.id == source)
        .where(kind.in_([one.value for one, _ in _OF_REQUESTS]))
        .where(usage.c.id.is_(None) | (stored != signed))
    )
    for request_id, name, entered, found in connection.execute(wrong):
        if found is None:
            yield Difference(f"{name} without usage", request_id, entered, 0)
        else:
            yield Difference(f"usage {name}", request_id, entered, found)


def _check_leases(connection: Connection) -> Iterator[Difference]:
    abandoned = (
        select(leases.c.worker_id, leases.c.budget_id, leases.c.amount_microdollars)
        .join_from(leases, workers, workers.c.id == leases.c.worker_id)
        .where(workers.c.ended_at.is_not(None))
    )
    for worker_id, budget_id, amount in connection.execute(abandoned):
        yield Difference("lease of an ended worker", f"{worker_id} {budget_id}", 0, amount)
    over = select(budgets.c.id).join_from(budgets, usage, usage.c.id == budgets.c.partly_covered_request)
    for budget_id in connection.execute(over).scalars():
        yield Difference("partly covered by a settled request", budget_id, 0, 1)


def _check_credits(connection: Connection, entries: _Entries) -> Iterator[Difference]:
    account = case(
        (credit_transactions.c.organization_id.is_not(None), "organization:" + credit_transactions.c.organization_id),
        else_="user:" + credit_transactions.c.user_id,
    )
    (recorded,) = _sums(connection, account, credit_transactions.c.amount_microdollars)
    for owner in sorted(entries.balances | set(recorded)):
        yield from _compare("credit transactions", owner, entries.credited[owner], recorded[owner])


def _compare(check: str, subject: str, expected: int, found: int | None) -> Iterator[Difference]:
    if expected != (found or 0):
        yield Difference(check, subject, expected, found or 0)


def _sums(connection: Connection, key: ColumnElement[str], *amounts: ColumnElement[int]) -> list[Counter[str]]:
    """Of each amount the sums by `key`, all from one reading."""
    totals = [func.sum(amount) for amount in amounts]
    found: list[Counter[str]] = [Counter() for _ in amounts]
    for id_, *sums in connection.execute(select(key.label("key"), *totals).group_by("key")):
        for counter, total in zip(found, sums, strict=True):
            counter[id_] = int(total)
    return found


def _by_budget(connection: Connection, statement: Select[Any]) -> Mapping[str, int]:
    totals: Counter[str] = Counter()
    for ids, amount in connection.execute(statement):
        totals.update(dict.fromkeys(ids, int(amount)))
    return totals
