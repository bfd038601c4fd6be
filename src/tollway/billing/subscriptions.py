"""Subscriptions as they are kept: what the payment provider says of them, their months, and what came of a bonus."""

from datetime import date, datetime
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from tollway.billing.bonus import Subscription
from tollway.catalog.preset import SubscriptionRules

BONUS_ISSUED: Final = "bonus_credits_issued"
BONUS_SKIPPED: Final = "bonus_credits_skipped_idempotent"
BASE_ISSUED: Final = "base_credits_issued"


class Issued(StrEnum):
    """What came of a month's credit or bonus."""

    DONE = "done"
    NOT_DUE = "not due"  # so much was not used, or no bonus is waited for
    NOTHING = "nothing"  # no active subscription, no month that was paid, or a bonus for it already
    FAILED = "failed"


class Month(Struct, frozen=True):
    """A month that was paid: `invoice_id` is the payment provider's, None for one of a yearly subscription."""

    first_day: date
    invoice_id: str | None = None


class Subscriptions(Protocol):
    """Raises StoreUnavailableError. Every method may be called again for the same thing: it is done once."""

    async def put(self, subscription: Subscription, external_id: str, ended_at: datetime | None) -> None:
        """Keep what the payment provider says; the id at the provider tells which subscription it is."""
        ...

    async def issue_base(self, subscription_id: str, month: Month, rules: SubscriptionRules) -> Issued:
        """Credit the price of a month that was paid, and wait for so much use."""
        ...

    async def issue_bonus(self, user_id: str, rules: SubscriptionRules) -> Issued:
        """Credit the bonus if it is due by what is in the books now. FAILED: nothing was changed, and it is noted."""
        ...
