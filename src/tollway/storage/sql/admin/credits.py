"""Rows of credit_transactions, and what goes with them: a ledger entry and the balance."""

from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, or_, select

from tollway.admin.records import AccountBalance, AuditEntry, Credited, CreditTransaction, Page, Uncredited
from tollway.billing.ledger import PAYMENTS, BudgetKind, BudgetRef, EntryKind, Posting
from tollway.money import Microdollars
from tollway.storage.sql import budgets
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.credit_rows import book_credit
from tollway.storage.sql.entries import post
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import credit_transactions

_COLUMNS: Final = (
    credit_transactions.c.id,
    credit_transactions.c.user_id,
    credit_transactions.c.organization_id,
    credit_transactions.c.amount_microdollars,
    credit_transactions.c.is_free,
    credit_transactions.c.description,
    credit_transactions.c.credit_category,
    credit_transactions.c.expiry_date,
    credit_transactions.c.created_at,
    credit_transactions.c.payment_id,
)
_OF_PAYMENT: Final[Select[Any]] = select(*_COLUMNS).where(
    or_(
        credit_transactions.c.id == bindparam("id"),  # an earlier try of ours
        credit_transactions.c.payment_id == bindparam("payment"),
    )
)
_ONE: Final = select(credit_transactions.c.id).where(credit_transactions.c.id == bindparam("id"))


class SqlCredits(SqlSubject):
    async def add_credit(
        self,
        account: BudgetRef,
        credit: CreditTransaction,
        audit: AuditEntry | None = None,
        *,
        once_per_category: bool = False,
    ) -> Credited | Uncredited:
        row = {**_row(credit), "once_per_category": once_per_category}

        def work(connection: Connection) -> Credited | Uncredited:
            credited = book_credit(connection, account, row)
            if credited is None:
                return _booked_before(connection, account, credit)
            write_audit(connection, audit)
            note_change(connection, credit.user_id or account.owner)
            return Credited(credit, _balance(account, credited))

        return await self._database.write(work)

    async def refund_credit(
        self, account: BudgetRef, credit: CreditTransaction, audit: AuditEntry | None = None
    ) -> AccountBalance | None:
        posting = Posting(EntryKind.REFUND, account.id, PAYMENTS, Microdollars(-credit.amount_microdollars))

        def work(connection: Connection) -> AccountBalance | None:
            budget = budgets.lock(connection, {account.id: account}, credit.created_at)[account.id]
            if connection.execute(_ONE, {"id": credit.id}).first() is not None:  # an earlier try of ours
                return _balance(account, budget)
            if budget.balance - budget.held + credit.amount_microdollars < 0:
                return None
            insert_missing(connection, credit_transactions, _row(credit))
            refunded = budgets.credit(connection, account, credit.amount_microdollars, credit.created_at)
            post(connection, credit.id, [posting], credit.created_at, memo=credit.description)
            write_audit(connection, audit)
            note_change(connection, credit.user_id or account.owner)
            return _balance(account, refunded)

        return await self._database.write(work)

    async def list_credits(self, account: BudgetRef, page: Page) -> tuple[CreditTransaction, ...]:
        statement = newest_first(_of(account), credit_transactions, page)
        return await self._database.read(
            lambda connection: tuple(CreditTransaction(*row) for row in connection.execute(statement).all())
        )

    async def account_balance(self, account: BudgetRef) -> AccountBalance:
        return _balance(account, await self._database.read(lambda connection: budgets.read(connection, account.id)))


def _booked_before(connection: Connection, account: BudgetRef, credit: CreditTransaction) -> Credited | Uncredited:
    """What is there instead: the same credit, another one with its payment id, or one of its category."""
    named = {"id": credit.id, "payment": credit.payment_id}
    rows = connection.execute(_OF_PAYMENT, named).all()
    if not rows:
        return Uncredited.ONCE
    found = CreditTransaction(*rows[0])
    if _essence(found) != _essence(credit):
        return Uncredited.OTHER
    return Credited(found, _balance(account, budgets.read(connection, account.id)), found.id != credit.id)


def _essence(credit: CreditTransaction) -> tuple[Any, ...]:
    """What two must have in common to be the same: whose, how much, and what kind of money."""
    return credit.user_id, credit.organization_id, credit.amount_microdollars, credit.is_free


def _row(credit: CreditTransaction) -> dict[str, object]:
    return {
        "id": credit.id,
        "user_id": credit.user_id,
        "organization_id": credit.organization_id,
        "amount_microdollars": credit.amount_microdollars,
        "is_free": credit.is_free,
        "description": credit.description,
        "credit_category": credit.credit_category,
        "expiry_date": credit.expiry_date,
        "created_at": credit.created_at,
        "payment_id": credit.payment_id,
    }


def _of(account: BudgetRef) -> Select[tuple[object, ...]]:
    """The transactions that credited `account`; what a user paid for an organization is the organization's."""
    if account.kind is BudgetKind.ORGANIZATION:
        return select(*_COLUMNS).where(credit_transactions.c.organization_id == account.owner)
    return select(*_COLUMNS).where(
        credit_transactions.c.user_id == account.owner, credit_transactions.c.organization_id.is_(None)
    )


def _balance(account: BudgetRef, budget: budgets.Budget | None) -> AccountBalance:
    if budget is None:
        return AccountBalance(account.id, 0, 0, 0, 0, 0)
    return AccountBalance(
        account=account.id,
        credited_microdollars=budget.limit or 0,
        spent_microdollars=budget.spent,
        held_microdollars=budget.held,
        balance_microdollars=budget.balance,
        available_microdollars=budget.balance - budget.held,
    )
