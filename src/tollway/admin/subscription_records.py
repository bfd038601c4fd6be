"""Subscriptions as administration shows and changes them, and what it needs from storage for that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol

from tollway.admin.records import Page
from tollway.billing.bonus import Cadence
from tollway.catalog.preset import SubscriptionRules


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """`external_id`: at the payment provider. `paid_until` None: nothing was paid. `next_issue_at`: when the next month
    of a yearly payment is credited. `streak_months`: how many months have been paid in a row."""

    id: str
    user_id: str
    external_id: str
    tier: str
    cadence: Cadence
    status: str
    is_cancelling: bool
    started_at: datetime | None
    paid_until: datetime | None
    ended_at: datetime | None
    streak_months: int
    next_issue_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionMonth:
    """What was credited for a month; None: nothing yet. `payment_id` None: of a yearly payment, not its first month."""

    month: date
    payment_id: str | None
    base_microdollars: int | None
    bonus_microdollars: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionEvent:
    action: str
    result: str
    payload: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionDetails:
    """Newest first, of each at most as many as storage gives."""

    subscription: StoredSubscription
    months: tuple[SubscriptionMonth, ...]
    events: tuple[SubscriptionEvent, ...]


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """Of a period. `month`: its first day, where somebody says which it is."""

    payment_id: str
    paid_at: datetime
    month: date | None
    rules: SubscriptionRules
    actor: str


@dataclass(frozen=True, slots=True)
class PaidPeriod:
    """`is_repeat`: this payment was booked before, and nothing was done."""

    subscription: StoredSubscription
    month: date
    credit_transaction_id: str
    amount_microdollars: int
    is_repeat: bool


class Unpaid(Enum):
    """Why a payment was not booked. OTHER: its id is that of something else that was paid."""

    NO_SUBSCRIPTION = "no subscription"
    ENDED = "ended"
    NO_TIER = "no tier"
    MONTH_PAID = "month paid"
    TOO_EARLY = "too early"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """What is to be different; None leaves it. `action`: for the log."""

    action: str
    actor: str
    tier: str | None = None
    status: str | None = None
    is_cancelling: bool | None = None
    streak_months: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        """Columns that change."""
        names = ("tier", "status", "is_cancelling", "streak_months")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class SubscriptionStore(Protocol):
    """A subscription is named by its id or by the one at the payment provider. Each change is noted in its log."""

    async def add_subscription(self, subscription: StoredSubscription, actor: str) -> bool:
        """False when there is one of that external id."""
        ...

    async def find_subscription(self, id_or_external_id: str) -> StoredSubscription | None: ...

    async def list_subscriptions(self, page: Page, user_id: str | None) -> tuple[StoredSubscription, ...]: ...

    async def subscription_details(self, subscription: StoredSubscription) -> SubscriptionDetails: ...

    async def pay_period(self, subscription_id: str, order: PaymentOrder, now: datetime) -> PaidPeriod | Unpaid:
        """Credit, wait for the bonus, subscription and log in one transaction. Raises MoneyOverflowError."""
        ...

    async def change_subscription(
        self, subscription_id: str, change: SubscriptionChange, now: datetime
    ) -> StoredSubscription | None:
        """None when there is none that has not ended."""
        ...

    async def end_subscription(self, subscription_id: str, actor: str, now: datetime) -> StoredSubscription | None:
        """None when there is none. Of one that has ended already nothing changes."""
        ...
