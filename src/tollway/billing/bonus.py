"""The bonus of subscribers who have used what they paid for: whose turn it is, how much, until when. Pure.

A subscriber pays a price every month and gets it as credit. Once that much is used, a free bonus is added, once for
each month paid. Tiers, percentages and texts are data of the preset. Source: response-path §7.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tollway.billing.months import add_months, first_of_month, months_between, read_instant
from tollway.catalog.preset import SubscriptionRules
from tollway.money import EXACT, MICRODOLLARS_PER_USD, Microdollars, round_usd

FIRST_MONTHS: Final = 2  # of a first subscription, which have a percentage of their own
_MICRODOLLARS_PER_CENT: Final = MICRODOLLARS_PER_USD // 100
_HALF: Final = Decimal("0.5")


class Cadence(StrEnum):
    """How often a subscriber pays."""

    MONTHLY = "monthly"
    YEARLY = "yearly"


class ItemKind(StrEnum):
    """What was credited for a month. The last is an earlier form of the bonus that is no longer written."""

    BASE = "base"
    BONUS = "bonus"
    FIRST_MONTH = "promo_first_month_50pct"


ACTIVE: Final = "active"
_RANKS: Final = {
    "trialing": 2,
    "past_due": 3,
    "paused": 4,
    "incomplete": 5,
    "canceled": 6,
    "unpaid": 6,
    "incomplete_expired": 6,
}
_UNKNOWN_RANK: Final = 7


class Subscription(Struct, frozen=True):
    """`status` is the payment provider's. `next_issue_at`: when the next month of a yearly one is credited.
    `streak_months`: how many months it has been paid in a row."""

    id: str
    user_id: str
    tier: str
    cadence: Cadence
    status: str
    is_cancelling: bool
    started_at: datetime | None
    created_at: datetime
    streak_months: int
    next_issue_at: datetime | None


class Bonus(Struct, frozen=True):
    """`base` is what the month cost. `is_first_months`: the percentage is that of the first months, not of the ramp."""

    percent: Decimal
    base: Microdollars
    amount: Microdollars
    streak_months: int
    is_first_months: bool
    description: str


def effective_threshold(threshold: int | None, early_award: int) -> int | None:
    """From which use on the bonus is due: `early_award` µ$ before the threshold. None: there is none to wait for."""
    return None if threshold is None else max(0, threshold - early_award)


def is_due(effective: int | None, used: int) -> bool:
    """Whether so much use has earned the bonus."""
    return effective is not None and used >= effective


def choose_subscription(subscriptions: Iterable[Subscription]) -> Subscription | None:
    """The one that counts: by status, then the one that started last. None when there are none."""
    return min(
        subscriptions, key=lambda one: (_rank(one), -(one.started_at or one.created_at).timestamp()), default=None
    )


def _rank(subscription: Subscription) -> int:
    if subscription.status == ACTIVE:
        return int(subscription.is_cancelling)
    return _RANKS.get(subscription.status, _UNKNOWN_RANK)


def yearly_issue_month(subscription: Subscription) -> date | None:
    """The month that a yearly subscription is in: the one before the next issue, else the one it started in."""
    if subscription.next_issue_at is not None:
        return first_of_month(add_months(subscription.next_issue_at, -1))
    return None if subscription.started_at is None else first_of_month(subscription.started_at)


def bonus_of(subscription: Subscription, is_first: bool, month: date, rules: SubscriptionRules) -> Bonus | None:
    """What is due for the month. `is_first`: the user never had another subscription. None: the tier is not known."""
    price_usd = rules.tiers.get(subscription.tier)
    if price_usd is None:
        return None
    streak = max(1, subscription.streak_months)
    percent, is_first_months = _percent(subscription, streak, is_first, rules)
    template = rules.monthly_text
    if subscription.cadence is Cadence.YEARLY:
        template = rules.yearly_text
    elif is_first_months:
        template = rules.first_months_text
    text = template.format(tier=subscription.tier, month=month.isoformat(), streak=streak)
    base = round_usd(price_usd)
    return Bonus(percent, base, _share(price_usd, percent), streak, is_first_months, text)


def _percent(subscription: Subscription, streak: int, is_first: bool, rules: SubscriptionRules) -> tuple[Decimal, bool]:
    if subscription.cadence is Cadence.YEARLY:
        return rules.yearly_percent, False
    if is_first and streak <= FIRST_MONTHS and (streak == 1 or _is_early(subscription, rules)):
        return rules.first_months_percent, True
    return min(rules.percent_max, rules.percent + rules.percent_step * (streak - 1)), False


def _is_early(subscription: Subscription, rules: SubscriptionRules) -> bool:
    """Started while also the second month was promised the percentage of the first."""
    until, started = read_instant(rules.first_months_until), subscription.started_at
    return until is not None and started is not None and started < until


def _share(price_usd: Decimal, percent: Decimal) -> Microdollars:
    """Of whole cents, rounded half up to whole cents."""
    with localcontext(EXACT):
        cents = (price_usd * 100 + _HALF) // 1
        return Microdollars(int((cents * percent + _HALF) // 1) * _MICRODOLLARS_PER_CENT)


def credit_expiry(subscription: Subscription, month: date) -> datetime | None:
    """When the bonus for `month` expires; None: never. A monthly one lasts until the day its month was paid comes
    again. Each addition is clamped, so one that started on a 31st drifts to the 28th."""
    if subscription.cadence is Cadence.YEARLY:
        return subscription.next_issue_at
    if subscription.started_at is None:
        return None
    offset = months_between(subscription.started_at, month)
    return None if offset < 0 else add_months(add_months(subscription.started_at, offset), 1)
