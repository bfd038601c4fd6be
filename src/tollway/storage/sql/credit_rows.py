"""A credit in the books: transaction row, ledger entry and balance, in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, update

from tollway.billing.ledger import GRANTS, PAYMENTS, BudgetRef, EntryKind, Posting
from tollway.money import Microdollars
from tollway.storage.sql import budgets
from tollway.storage.sql.accounting_tables import auto_top_ups
from tollway.storage.sql.budgets import Budget
from tollway.storage.sql.entries import post
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import credit_transactions

_END_TOP_UP: Final = (
    update(auto_top_ups).where(auto_top_ups.c.account_id == bindparam("account")).values(attempt_started_at=None)
)


def book_credit(connection: Connection, account: BudgetRef, row: Mapping[str, Any]) -> Budget | None:
    """The account's budget with the credit; None when a credit with this id, or of this payment, is there already.

    `row`: columns of credit_transactions; `is_free` tells a grant from a payment. A credit that expires counts as used
    from what the account has used by now. Raises MoneyOverflowError.
    """
    budget = budgets.lock(connection, {account.id: account}, row["created_at"])[account.id]
    if row.get("expiry_date") is not None:
        row = {**row, "expiration_baseline_microdollars": budget.spent}
    if not insert_missing(connection, credit_transactions, {**row, "original_baseline_microdollars": budget.spent}):
        return None
    amount, now = Microdollars(row["amount_microdollars"]), row["created_at"]
    credited = budgets.credit(connection, account, amount, now)
    post(connection, row["id"], [_posting(account, amount, row["is_free"])], now, memo=row.get("description"))
    if not row["is_free"] or row.get("payment_id"):  # it answers a top-up that was asked for
        connection.execute(_END_TOP_UP, {"account": account.id})
    return credited


def _posting(account: BudgetRef, amount: Microdollars, is_free: bool) -> Posting:
    kind, source = (EntryKind.GRANT, GRANTS) if is_free else (EntryKind.PAYMENT, PAYMENTS)
    return Posting(kind, source, account.id, amount)


def book_expiry(
    connection: Connection, account: BudgetRef, row: Mapping[str, Any], left: Microdollars, now: datetime
) -> None:
    """Take back what was `left`, more than 0, of an expired credit. `row`: that of the taking back, its amount < 0."""
    connection.execute(credit_transactions.insert(), dict(row))
    budgets.credit(connection, account, -left, now)
    source = GRANTS if row["is_free"] else PAYMENTS
    post(connection, row["id"], [Posting(EntryKind.EXPIRY, account.id, source, left)], now, memo=row["description"])
