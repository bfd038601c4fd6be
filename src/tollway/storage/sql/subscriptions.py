"""SqlSubscriptions: subscribers, the months they paid, and the bonus on top.

Whoever credits a subscriber holds the lock of the account's budget, so triggers at the same time come one after the
other, and all but the first find nothing to do. Source: response-path 7.2 to 7.5.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.bonus import ItemKind, Subscription, effective_threshold
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.subscriptions import BASE_ISSUED, BONUS_ISSUED, Issued, Month
from tollway.catalog.preset import SubscriptionRules
from tollway.clock import utc_now
from tollway.money import checked, round_usd
from tollway.storage.sql import budgets
from tollway.storage.sql.accounting_tables import subscriptions
from tollway.storage.sql.bonuses import grant_bonus
from tollway.storage.sql.credit_rows import book_credit
from tollway.storage.sql.database import Database
from tollway.storage.sql.subscription_rows import (
    Happening,
    Ids,
    add_item,
    issuance_of,
    items_of,
    note,
    read_subscription,
)

ERROR_CHARS_MAX: Final = 500


class SqlSubscriptions:
    """Implements Subscriptions. `now` gives the present instant."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def put(self, subscription: Subscription, external_id: str, ended_at: datetime | None) -> None:
        row = {
            "id": subscription.id,
            "user_id": subscription.user_id,
            "external_id": external_id,
            "tier": subscription.tier,
            "cadence": subscription.cadence.value,
            "status": subscription.status,
            "is_cancelling": subscription.is_cancelling,
            "started_at": subscription.started_at,
            "ended_at": ended_at,
            "streak_months": subscription.streak_months,
            "next_issue_at": subscription.next_issue_at,
            "created_at": subscription.created_at,
        }
        insert: Any = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        statement = insert(subscriptions)
        changed = {name: statement.excluded[name] for name in row if name not in ("id", "external_id", "created_at")}
        statement = statement.on_conflict_do_update(index_elements=["external_id"], set_=changed)
        await self._database.write(lambda connection: connection.execute(statement, row))

    async def issue_base(self, subscription_id: str, month: Month, rules: SubscriptionRules) -> Issued:
        now, ids = self._now(), Ids.drawn()

        def work(connection: Connection) -> Issued:
            return _issue_base(connection, _Base(subscription_id, month, rules, ids, now))

        return await self._database.write(work)

    async def issue_bonus(self, user_id: str, rules: SubscriptionRules) -> Issued:
        now, ids = self._now(), Ids.drawn()
        try:
            return await self._database.write(lambda connection: grant_bonus(connection, user_id, rules, ids, now))
        except (SQLAlchemyError, ArithmeticError, ValueError) as error:
            payload = {"source": "usage_threshold", "error": str(error)[:ERROR_CHARS_MAX]}
            what = Happening(user_id, BONUS_ISSUED, "failed", payload)
            await self._database.write(lambda connection: note(connection, ids.event, what, now))
            return Issued.FAILED


class _Base(Struct, frozen=True):
    subscription_id: str
    month: Month
    rules: SubscriptionRules
    ids: Ids
    now: datetime


def _issue_base(connection: Connection, order: _Base) -> Issued:
    subscription, rules = read_subscription(connection, order.subscription_id), order.rules
    price_usd = rules.tiers.get(subscription.tier) if subscription else None
    if subscription is None or price_usd is None:
        return Issued.NOTHING
    account = BudgetRef(BudgetKind.USER, subscription.user_id)
    budget = budgets.lock(connection, {account.id: account}, order.now)[account.id]
    issuance = issuance_of(connection, subscription, order.month, order.ids.issuance, order.now)
    if ItemKind.BASE in items_of(connection, issuance):
        return Issued.NOTHING
    amount, day = round_usd(price_usd), order.month.first_day
    row = {
        "id": order.ids.credit,
        "user_id": subscription.user_id,
        "amount_microdollars": amount,
        "is_free": False,
        "description": rules.base_text.format(
            tier=subscription.tier, month=day.isoformat(), streak=subscription.streak_months
        ),
        "credit_category": rules.base_category,
        "payment_id": order.month.invoice_id,
        "created_at": order.now,
    }
    if book_credit(connection, account, row) is None:
        return Issued.NOTHING
    add_item(connection, order.ids, issuance, ItemKind.BASE, amount)
    due = effective_threshold(checked(budget.spent + amount), round_usd(rules.early_award_usd))
    budgets.await_bonus(connection, account, due)
    payload = {"kind": ItemKind.BASE.value, "baseAmountUsd": float(price_usd)}
    what = Happening(subscription.user_id, BASE_ISSUED, "success", payload, subscription.id, issuance, order.ids.credit)
    note(connection, order.ids.event, what, order.now)
    return Issued.DONE
