"""SqlExpiries: takes back what is left of credits whose time is over. Source: response-path 6.16.

Looked for every few minutes instead of with each balance; an account's credits expire in one transaction, with its
budget locked. What open requests hold is theirs: they may still finish. What was refunded meanwhile is not there any
more, so no more is taken back than the account has.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, text, update

from tollway.billing.expiry import ExpiringCredit, expire
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.clock import utc_now
from tollway.ids import new_id
from tollway.money import Microdollars
from tollway.storage.sql import budgets
from tollway.storage.sql.credit_rows import book_expiry
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.tables import UNEXPIRED, credit_transactions

EXPIRED_CATEGORY: Final = "credits_expired"
ACCOUNTS_MAX: Final = 100  # in one go

_OVERDUE: Final = (
    select(credit_transactions.c.organization_id, credit_transactions.c.user_id)
    .where(text(UNEXPIRED), credit_transactions.c.expiry_date <= bindparam("now"))
    .distinct()
    .limit(ACCOUNTS_MAX)
)
_PENDING: Final = select(
    credit_transactions.c.id,
    credit_transactions.c.amount_microdollars,
    credit_transactions.c.is_free,
    credit_transactions.c.description,
    credit_transactions.c.expiry_date,
    credit_transactions.c.expiration_baseline_microdollars,
).where(text(UNEXPIRED))
_OF_ORGANIZATION: Final = _PENDING.where(credit_transactions.c.organization_id == bindparam("owner"))
_OF_USER: Final = _PENDING.where(
    credit_transactions.c.user_id == bindparam("owner"), credit_transactions.c.organization_id.is_(None)
)
_END: Final = (
    update(credit_transactions)
    .where(credit_transactions.c.id == bindparam("credit_id"))
    .values(expired_at=bindparam("now"))
)
_RAISE: Final = (
    update(credit_transactions)
    .where(credit_transactions.c.id == bindparam("credit_id"))
    .values(expiration_baseline_microdollars=bindparam("baseline"))
)


class SqlExpiries:
    """`now` gives the present instant. Raises StoreUnavailableError."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def expire(self) -> int:
        """Take back what has expired; returns how many credits that were. Done twice, it finds nothing."""
        now = self._now()
        overdue = await self._database.read(lambda connection: connection.execute(_OVERDUE, {"now": now}).all())
        accounts = {
            BudgetRef(BudgetKind.ORGANIZATION, organization) if organization else BudgetRef(BudgetKind.USER, user)
            for organization, user in overdue
        }
        expired = 0
        for account in sorted(accounts, key=lambda ref: ref.id):
            expired += await self._expire(account, now)
        return expired

    async def _expire(self, account: BudgetRef, now: datetime) -> int:
        drawn: dict[str, str] = {}  # the same ids, should the transaction be run again

        def work(connection: Connection) -> int:
            return _expire_account(connection, account, now, lambda credit: drawn.setdefault(credit, new_id()))

        return await self._database.write(work)


def _expire_account(connection: Connection, account: BudgetRef, now: datetime, id_of: Callable[[str], str]) -> int:
    budget = budgets.lock(connection, {account.id: account}, now)[account.id]
    is_organization = account.kind is BudgetKind.ORGANIZATION
    found = connection.execute(_OF_ORGANIZATION if is_organization else _OF_USER, {"owner": account.owner}).all()
    pending = {row.id: row for row in found}
    expired = expire(
        [ExpiringCredit(row.id, row.amount_microdollars, row[5] or 0, row.expiry_date) for row in found],
        budget.spent,
        now,
    )
    there = max(0, budget.balance)
    for credit_id, unused in expired.left.items():
        connection.execute(_END, {"credit_id": credit_id, "now": now})
        left = Microdollars(min(unused, there))
        there -= left
        if left:
            row = _taken_back(account, pending[credit_id], id_of(credit_id), left)
            book_expiry(connection, account, {**row, "original_baseline_microdollars": budget.spent}, left, now)
    for credit_id, baseline in expired.baselines.items():
        if credit_id not in expired.left:
            connection.execute(_RAISE, {"credit_id": credit_id, "baseline": baseline})
    if expired.left:
        note_change(connection, account.owner)
    return len(expired.left)


def _taken_back(account: BudgetRef, credit: Any, id_: str, left: int) -> dict[str, Any]:
    is_organization = account.kind is BudgetKind.ORGANIZATION
    return {
        "id": id_,
        "user_id": None if is_organization else account.owner,
        "organization_id": account.owner if is_organization else None,
        "amount_microdollars": -left,
        "is_free": credit.is_free,
        "description": f"Expired: {credit.description or credit.id}",
        "credit_category": EXPIRED_CATEGORY,
        "original_transaction_id": credit.id,
        "created_at": credit.expiry_date,
    }
