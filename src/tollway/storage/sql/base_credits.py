"""A month of a subscription is credited: the price as paid credit, and so much use to wait for.

Runs in the caller's transaction. Whoever credits a subscriber holds the lock of the account's budget first.
Source: response-path 7.3.
"""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, bindparam, update

from tollway.billing.bonus import ACTIVE, ItemKind, Subscription, effective_threshold
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.periods import Period
from tollway.billing.subscriptions import BASE_ISSUED, Month
from tollway.catalog.preset import SubscriptionRules
from tollway.money import Microdollars, checked, round_usd
from tollway.storage.sql import budgets
from tollway.storage.sql.accounting_tables import subscriptions
from tollway.storage.sql.budgets import Budget
from tollway.storage.sql.credit_rows import book_credit
from tollway.storage.sql.subscription_rows import Happening, Ids, add_item, issuance_of, items_of, note

_REACH: Final = (
    update(subscriptions)
    .where(subscriptions.c.id == bindparam("subscription"))
    .values(
        status=ACTIVE,
        streak_months=bindparam("streak"),
        paid_until=bindparam("until"),
        next_issue_at=bindparam("issue_at"),
    )
)


class Base(Struct, frozen=True):
    """What to credit for whom: `subscription` as it is with that month, `price` the tier's."""

    subscription: Subscription
    month: Month
    price: Microdollars
    rules: SubscriptionRules
    ids: Ids
    now: datetime
    actor: str | None = None  # who recorded the payment; None: nobody, the month began


def price_of(tier: str, rules: SubscriptionRules) -> Microdollars | None:
    """A month's; None where the tier is not known."""
    price_usd = rules.tiers.get(tier)
    return None if price_usd is None else round_usd(price_usd)


def lock_account(connection: Connection, user_id: str, now: datetime) -> Budget:
    account = BudgetRef(BudgetKind.USER, user_id)
    return budgets.lock(connection, {account.id: account}, now)[account.id]


def credit_base(connection: Connection, base: Base) -> bool:
    """False where the month has its credit already. Raises ValueError where the payment paid for something else."""
    subscription, ids, now, rules = base.subscription, base.ids, base.now, base.rules
    budget = lock_account(connection, subscription.user_id, now)
    issuance = issuance_of(connection, subscription, base.month, ids.issuance, now)
    if ItemKind.BASE in items_of(connection, issuance):
        return False
    account = BudgetRef(BudgetKind.USER, subscription.user_id)
    if book_credit(connection, account, _row(base)) is None:
        raise ValueError("something else was paid with that payment")
    add_item(connection, ids, issuance, ItemKind.BASE, base.price)
    due = effective_threshold(checked(budget.spent + base.price), round_usd(rules.early_award_usd))
    budgets.await_bonus(connection, account, due)
    payload: dict[str, Any] = {"kind": ItemKind.BASE.value, "baseAmountUsd": float(rules.tiers[subscription.tier])}
    if base.actor is not None:
        payload |= {"actor": base.actor, "paymentId": base.month.invoice_id}
    what = Happening(subscription.user_id, BASE_ISSUED, "success", payload, subscription.id, issuance, ids.credit)
    note(connection, ids.event, what, now)
    return True


def reach(connection: Connection, subscription_id: str, period: Period) -> None:
    """The subscription is in that period now, and so active."""
    values = {
        "subscription": subscription_id,
        "streak": period.streak_months,
        "until": period.paid_until,
        "issue_at": period.next_issue_at,
    }
    connection.execute(_REACH, values)


def _row(base: Base) -> dict[str, Any]:
    subscription = base.subscription
    text = base.rules.base_text.format(
        tier=subscription.tier, month=base.month.first_day.isoformat(), streak=subscription.streak_months
    )
    return {
        "id": base.ids.credit,
        "user_id": subscription.user_id,
        "amount_microdollars": base.price,
        "is_free": False,
        "description": text,
        "credit_category": base.rules.base_category,
        "payment_id": base.month.invoice_id,
        "created_at": base.now,
    }
