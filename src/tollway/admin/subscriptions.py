"""Subscriptions as an operator keeps them: start, record what was paid, change, cancel, end, list, show.

Tollway charges nobody: whoever does tells it what was paid. A payment credits its month and begins the wait for the
bonus; under the same id it is booked once. Source: response-path §7.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from tollway.admin.fields import TEXT_CHARS_MAX, bad, check_page, check_reference, check_text, missing
from tollway.admin.ownership import Actor
from tollway.admin.records import Page
from tollway.admin.store import AdminStore
from tollway.admin.subscription_records import (
    PaidPeriod,
    PaymentOrder,
    StoredSubscription,
    SubscriptionChange,
    SubscriptionDetails,
    Unpaid,
)
from tollway.admin.users import show_user
from tollway.billing.bonus import Cadence
from tollway.billing.subscriptions import CANCELLED, CHANGED, RESUMED, STATUSES, UNPAID
from tollway.catalog.preset import SubscriptionRules
from tollway.errors import Code, Problem
from tollway.ids import new_id
from tollway.money import MoneyOverflowError

AHEAD: Final = timedelta(days=366)  # of now, as far as a month may be named
CLOCKS_DIFFER: Final = timedelta(days=1)
STREAK_MONTHS_MAX: Final = 1_200

_UNPAID: Final = {
    Unpaid.NO_SUBSCRIPTION: Problem(Code.NOT_FOUND, shown="There is no such subscription"),
    Unpaid.ENDED: Problem(Code.CONFLICT, shown="The subscription has ended: start another one"),
    Unpaid.NO_TIER: Problem(Code.CONFLICT, shown="The preset has no tier of that name any more: set another one"),
    Unpaid.MONTH_PAID: Problem(Code.CONFLICT, shown="That month was paid with another payment"),
    Unpaid.TOO_EARLY: Problem(Code.BAD_REQUEST, shown="month: is before the subscription began"),
    Unpaid.OTHER: Problem(Code.CONFLICT, shown="payment_id: something else was paid with it"),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """Where subscriptions are kept: what they may be, who asks, when."""

    store: AdminStore
    rules: SubscriptionRules
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """`external_id`: at the payment provider. `streak_months`: paid in a row before, elsewhere."""

    user: str
    tier: str
    external_id: str
    cadence: Cadence = Cadence.MONTHLY
    started_at: datetime | None = None
    streak_months: int = 0


async def start_subscription(counter: Counter, order: NewSubscription) -> StoredSubscription | Problem:
    """It counts from its first payment on. Refuses: bad_request, not_found, conflict (the external id is taken)."""
    external_id = check_text("external_id", order.external_id, least=1, most=TEXT_CHARS_MAX)
    if isinstance(external_id, Problem):
        return external_id
    tier = _check_tier(counter.rules, order.tier)
    if isinstance(tier, Problem):
        return tier
    streak = _check_streak(order.streak_months)
    if isinstance(streak, Problem):
        return streak
    started_at = order.started_at or counter.now
    if started_at > counter.now + AHEAD:
        return bad("started_at", "is more than a year ahead")
    user = await show_user(counter.store, order.user)
    if isinstance(user, Problem):
        return user
    if user.blocked_reason is not None:
        return Problem(Code.CONFLICT, "the user is blocked", shown="The user is blocked")
    subscription = StoredSubscription(
        id=new_id(),
        user_id=user.id,
        external_id=external_id,
        tier=tier,
        cadence=order.cadence,
        status=UNPAID,
        is_cancelling=False,
        started_at=started_at,
        paid_until=None,
        ended_at=None,
        streak_months=streak,
        next_issue_at=None,
        created_at=counter.now,
    )
    if not await counter.store.add_subscription(subscription, counter.actor.name):
        return Problem(Code.CONFLICT, "external id", shown="external_id: there is a subscription with it already")
    return subscription


@dataclass(frozen=True, slots=True)
class Payment:
    """`paid_at` None: now. `month`: any day of the month it is for; None: the next one, or the present one."""

    payment_id: str
    paid_at: datetime | None = None
    month: date | None = None


async def record_payment(counter: Counter, named: str, payment: Payment) -> PaidPeriod | Problem:
    """The same payment once more is answered alike, and changes nothing. Refuses: bad_request, not_found, conflict."""
    payment_id = check_text("payment_id", payment.payment_id, least=1, most=TEXT_CHARS_MAX)
    if isinstance(payment_id, Problem):
        return payment_id
    paid_at = payment.paid_at or counter.now
    if paid_at > counter.now + CLOCKS_DIFFER:
        return bad("paid_at", "is in the future")
    month = None if payment.month is None else payment.month.replace(day=1)
    if month is not None and month > (counter.now + AHEAD).date():
        return bad("month", "is more than a year ahead")
    found = await find_subscription(counter.store, named)
    if isinstance(found, Problem):
        return found
    if month is not None and found.cadence is Cadence.YEARLY:
        return bad("month", "is for monthly subscriptions: a yearly payment goes on where the one before ends")
    order = PaymentOrder(payment_id, paid_at, month, counter.rules, counter.actor.name)
    try:
        paid = await counter.store.pay_period(found.id, order, counter.now)
    except MoneyOverflowError:
        return bad("amount", "the account cannot hold that much")
    return _UNPAID[paid] if isinstance(paid, Unpaid) else paid


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be different; None leaves it. A tier counts from the next bonus and payment on."""

    tier: str | None = None
    status: str | None = None
    streak_months: int | None = None


async def change_subscription(counter: Counter, named: str, wish: Wish) -> StoredSubscription | Problem:
    """Refuses: bad_request, not_found, conflict (it has ended)."""
    if wish == Wish():
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    if wish.status is not None and wish.status not in STATUSES:
        return bad("status", f"must be one of {', '.join(STATUSES)}")
    if wish.tier is not None and isinstance(tier := _check_tier(counter.rules, wish.tier), Problem):
        return tier
    if wish.streak_months is not None and isinstance(streak := _check_streak(wish.streak_months), Problem):
        return streak
    change = SubscriptionChange(CHANGED, counter.actor.name, wish.tier, wish.status, None, wish.streak_months)
    return await _change(counter, named, change)


async def cancel_subscription(counter: Counter, named: str) -> StoredSubscription | Problem:
    """At the end of what was paid; at once where nothing is. Once more changes nothing. Refuses: not_found."""
    found = await find_subscription(counter.store, named)
    if isinstance(found, Problem) or found.ended_at is not None or found.is_cancelling:
        return found
    if found.paid_until is None or found.paid_until <= counter.now:
        return await end_subscription(counter, found.id)
    return await _change(counter, found.id, SubscriptionChange(CANCELLED, counter.actor.name, is_cancelling=True))


async def resume_subscription(counter: Counter, named: str) -> StoredSubscription | Problem:
    """It was cancelled and goes on after all. Refuses: not_found, conflict (it has ended)."""
    return await _change(counter, named, SubscriptionChange(RESUMED, counter.actor.name, is_cancelling=False))


async def end_subscription(counter: Counter, named: str) -> StoredSubscription | Problem:
    """Now; what was credited stays, no bonus comes any more. Refuses: not_found."""
    found = await find_subscription(counter.store, named)
    if isinstance(found, Problem):
        return found
    ended = await counter.store.end_subscription(found.id, counter.actor.name, counter.now)
    return ended or missing("subscription", named)


async def find_subscription(store: AdminStore, named: str) -> StoredSubscription | Problem:
    """By id or external id. Refuses: not_found."""
    found = await store.find_subscription(reference) if (reference := check_reference(named)) else None
    return missing("subscription", named) if found is None else found


async def show_subscription(store: AdminStore, named: str) -> SubscriptionDetails | Problem:
    """With its months and its log. Refuses: not_found."""
    found = await find_subscription(store, named)
    return found if isinstance(found, Problem) else await store.subscription_details(found)


async def list_subscriptions(
    store: AdminStore, page: Page, user: str | None = None
) -> tuple[StoredSubscription, ...] | Problem:
    """Newest first. Refuses: bad_request, not_found (the user)."""
    checked = check_page(page)
    if isinstance(checked, Problem):
        return checked
    person = None if user is None else await show_user(store, user)
    if isinstance(person, Problem):
        return person
    return await store.list_subscriptions(checked, person.id if person else None)


async def _change(counter: Counter, named: str, change: SubscriptionChange) -> StoredSubscription | Problem:
    found = await find_subscription(counter.store, named)
    if isinstance(found, Problem):
        return found
    changed = await counter.store.change_subscription(found.id, change, counter.now)
    return changed or _UNPAID[Unpaid.ENDED]


def _check_tier(rules: SubscriptionRules, tier: str) -> str | Problem:
    if not rules.tiers:
        return bad("tier", "there are none: the preset's [subscriptions] names them")
    return tier if tier in rules.tiers else bad("tier", f"must be one of {', '.join(rules.tiers)}")


def _check_streak(months: int) -> int | Problem:
    return months if 0 <= months <= STREAK_MONTHS_MAX else bad("streak_months", f"must be 0 to {STREAK_MONTHS_MAX}")
