"""Subscriptions, for administrators: `/subscriptions…`: start, record a payment, change, cancel, end, list, show."""

from datetime import date
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from tollway.admin import subscriptions
from tollway.admin.records import Page
from tollway.admin.subscription_records import PaidPeriod, StoredSubscription, SubscriptionDetails
from tollway.admin.subscriptions import Counter, NewSubscription, Payment, Wish
from tollway.billing.bonus import Cadence
from tollway.errors import Problem
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.keys import Cursor, Instant, Limit
from tollway.http.management.table import Body, Listing, Table, page_of

ONE: Final = "/subscriptions/{subscription_id}"

_Text = Annotated[str, Field(min_length=1, max_length=500)]
_Months = Annotated[int, Field(ge=0, le=subscriptions.STREAK_MONTHS_MAX)]


class NewSubscriptionBody(Body):
    """`external_id`: at the payment provider. `streak_months`: paid in a row before, elsewhere."""

    user_id: Annotated[str, Field(min_length=1, max_length=320)]
    tier: Annotated[str, Field(min_length=1, max_length=100)]
    external_id: _Text
    cadence: Annotated[Cadence, Field(strict=False)] = Cadence.MONTHLY
    started_at: Instant | None = None
    streak_months: _Months = 0


class PaymentBody(Body):
    """`payment_id`: at the payment provider; with the same one nothing is booked again. `month`: any day of it."""

    payment_id: _Text
    paid_at: Instant | None = None
    month: Annotated[date | None, Field(strict=False)] = None


class SubscriptionBody(Body):
    """What is left out stays. `status`: as the payment provider says; `canceled` comes by ending it."""

    tier: Annotated[str | None, Field(max_length=100)] = None
    status: Annotated[str | None, Field(max_length=50)] = None
    streak_months: _Months | None = None


def add_subscriptions(table: Table) -> None:
    who = Access.ADMINISTRATOR
    table.add("GET", "/subscriptions", who, list_subscriptions, Listing[StoredSubscription])
    table.add("POST", "/subscriptions", who, start_subscription, StoredSubscription, status=201, once=True)
    table.add("GET", ONE, who, show_subscription, SubscriptionDetails)
    table.add("PATCH", ONE, who, change_subscription, StoredSubscription)
    table.add("POST", f"{ONE}/payments", who, record_payment, PaidPeriod, status=201, once=True)
    table.add("POST", f"{ONE}/cancel", who, cancel_subscription, StoredSubscription)
    table.add("POST", f"{ONE}/resume", who, resume_subscription, StoredSubscription)
    table.add("POST", f"{ONE}/end", who, end_subscription, StoredSubscription)


async def list_subscriptions(
    call: Current,
    user_id: Annotated[str | None, Query(max_length=320)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Listing[StoredSubscription] | Problem:
    """All of them, or a user's, newest first."""
    page = Page(limit, cursor)
    found = await subscriptions.list_subscriptions(call.services.store, page, user_id)
    return found if isinstance(found, Problem) else page_of(found, page)


async def start_subscription(call: Current, body: NewSubscriptionBody) -> StoredSubscription | Problem:
    """It waits for its first payment."""
    order = NewSubscription(
        body.user_id, body.tier, body.external_id, body.cadence, body.started_at, body.streak_months
    )
    return await subscriptions.start_subscription(_counter(call), order)


async def show_subscription(call: Current, subscription_id: str) -> SubscriptionDetails | Problem:
    """By id or external id, with its months and its log."""
    return await subscriptions.show_subscription(call.services.store, subscription_id)


async def change_subscription(call: Current, subscription_id: str, body: SubscriptionBody) -> object:
    """Tier, status, months paid in a row."""
    wish = Wish(body.tier, body.status, body.streak_months)
    return await subscriptions.change_subscription(_counter(call), subscription_id, wish)


async def record_payment(call: Current, subscription_id: str, body: PaymentBody) -> PaidPeriod | Problem:
    """A period was paid: its month is credited, once for each payment id, and the bonus waits for its use."""
    payment = Payment(body.payment_id, body.paid_at, body.month)
    return await subscriptions.record_payment(_counter(call), subscription_id, payment)


async def cancel_subscription(call: Current, subscription_id: str) -> StoredSubscription | Problem:
    """At the end of what was paid; at once where nothing is."""
    return await subscriptions.cancel_subscription(_counter(call), subscription_id)


async def resume_subscription(call: Current, subscription_id: str) -> StoredSubscription | Problem:
    """It was cancelled and goes on after all."""
    return await subscriptions.resume_subscription(_counter(call), subscription_id)


async def end_subscription(call: Current, subscription_id: str) -> StoredSubscription | Problem:
    """Now. What was credited stays."""
    return await subscriptions.end_subscription(_counter(call), subscription_id)


def _counter(call: Call) -> Counter:
    services = call.services
    return Counter(services.store, services.subscriptions, call.actor, call.now)
