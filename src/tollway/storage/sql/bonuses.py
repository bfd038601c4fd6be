"""The bonus of a subscriber, in one transaction. Source: response-path 7.5."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection

from tollway.billing.bonus import (
    ACTIVE,
    Bonus,
    Cadence,
    ItemKind,
    Subscription,
    bonus_of,
    choose_subscription,
    credit_expiry,
    is_due,
    yearly_issue_month,
)
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.subscriptions import BONUS_ISSUED, BONUS_SKIPPED, Issued, Month
from tollway.catalog.preset import SubscriptionRules
from tollway.money import MICRODOLLARS_PER_USD
from tollway.storage.sql import budgets
from tollway.storage.sql.credit_rows import book_credit
from tollway.storage.sql.subscription_rows import (
    Happening,
    Ids,
    add_item,
    issuance_of,
    items_of,
    newest_issuance,
    note,
    subscriptions_of,
)

_REASONS: Final = {ItemKind.BONUS: "issuance_item_already_exists", ItemKind.FIRST_MONTH: "existing_promo_item"}


class _Turn(Struct, frozen=True):
    """Whose bonus, for which month. `issuance`: the id of its row."""

    subscription: Subscription
    is_first: bool
    issuance: str
    month: Month


def grant_bonus(connection: Connection, user_id: str, rules: SubscriptionRules, ids: Ids, now: datetime) -> Issued:
    """See Subscriptions.issue_bonus. Once it is looked at, the account waits for no bonus until it pays again."""
    account = BudgetRef(BudgetKind.USER, user_id)
    budget = budgets.lock_existing(connection, [account.id]).get(account.id)
    if budget is None or not is_due(budget.bonus_due, budget.spent):
        return Issued.NOT_DUE
    budgets.await_bonus(connection, account, None)
    turn = _turn_of(connection, user_id, ids, now)
    if turn is None:
        return Issued.NOTHING
    bonus = bonus_of(turn.subscription, turn.is_first, turn.month.first_day, rules)
    if bonus is None or _is_there(connection, turn, ids, now):
        return Issued.NOTHING
    row = {
        "id": ids.credit,
        "user_id": user_id,
        "amount_microdollars": bonus.amount,
        "is_free": True,
        "description": bonus.description,
        "credit_category": rules.bonus_category,
        "expiry_date": credit_expiry(turn.subscription, turn.month.first_day),
        "created_at": now,
    }
    if bonus.amount:
        book_credit(connection, account, row)
        add_item(connection, ids, turn.issuance, ItemKind.BONUS, bonus.amount, bonus.percent)
    payload = _payload(bonus, turn, rules)
    note(connection, ids.event, _happening(turn, BONUS_ISSUED, "success", payload, ids.credit), now)
    return Issued.DONE


def _turn_of(connection: Connection, user_id: str, ids: Ids, now: datetime) -> _Turn | None:
    all_ = subscriptions_of(connection, user_id)
    subscription = choose_subscription(all_)
    if subscription is None or subscription.status != ACTIVE:
        return None
    if subscription.cadence is Cadence.YEARLY:
        first_day = yearly_issue_month(subscription)
        if first_day is None:
            return None
        month = Month(first_day)
        issuance = issuance_of(connection, subscription, month, ids.issuance, now)
    else:
        newest = newest_issuance(connection, subscription.id)
        if newest is None:
            return None
        issuance, month = newest
    return _Turn(subscription, len(all_) == 1, issuance, month)


def _is_there(connection: Connection, turn: _Turn, ids: Ids, now: datetime) -> bool:
    """Whether the month was not paid, or has its bonus already; the latter is noted."""
    items = items_of(connection, turn.issuance)
    for kind, reason in _REASONS.items():
        if kind in items:
            payload = {"reason": reason}
            note(connection, ids.event, _happening(turn, BONUS_SKIPPED, "skipped_idempotent", payload), now)
            return True
    return ItemKind.BASE not in items


def _happening(
    turn: _Turn, action: str, result: str, payload: dict[str, Any], credit_id: str | None = None
) -> Happening:
    subscription = turn.subscription
    return Happening(subscription.user_id, action, result, payload, subscription.id, turn.issuance, credit_id)


def _payload(bonus: Bonus, turn: _Turn, rules: SubscriptionRules) -> dict[str, Any]:
    subscription = turn.subscription
    payload: dict[str, Any] = {
        "kind": ItemKind.BONUS.value,
        "baseAmountUsd": _usd(bonus.base),
        "bonusPercentApplied": float(bonus.percent),
        "bonusAmountUsd": _usd(bonus.amount),
        "creditCategory": rules.bonus_category,
    }
    if subscription.cadence is Cadence.MONTHLY:
        started = subscription.started_at
        payload["monthlyBonusDecision"] = {
            "streakMonths": bonus.streak_months,
            "startedAt": started.isoformat() if started else None,
            "issueMonth": turn.month.first_day.isoformat(),
            "bonusPercentApplied": float(bonus.percent),
        }
        payload["bonusKind"] = "promo-50pct" if bonus.is_first_months else "monthly-ramp"
    return payload


def _usd(amount: int) -> float:
    """For the log alone, where it is a JSON number."""
    return amount / MICRODOLLARS_PER_USD
