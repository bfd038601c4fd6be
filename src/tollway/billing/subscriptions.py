"""What comes of subscriptions beside the requests: their bonus, and what begins or ends at its time."""

from datetime import date
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from tollway.catalog.preset import SubscriptionRules

BONUS_ISSUED: Final = "bonus_credits_issued"
BONUS_SKIPPED: Final = "bonus_credits_skipped_idempotent"
BASE_ISSUED: Final = "base_credits_issued"
STARTED: Final = "subscription_started"
CHANGED: Final = "subscription_changed"
CANCELLED: Final = "subscription_cancelled"
RESUMED: Final = "subscription_resumed"
ENDED: Final = "subscription_ended"

CANCELED: Final = "canceled"  # the status of one that has ended
UNPAID: Final = "incomplete"  # before the first payment
STATUSES: Final = (UNPAID, "trialing", "active", "past_due", "paused", "unpaid")  # what it may be until then


class Issued(StrEnum):
    """What came of a month's credit or bonus."""

    DONE = "done"
    NOT_DUE = "not due"  # so much was not used, or no bonus is waited for
    NOTHING = "nothing"  # no active subscription, no month that was paid, or a bonus for it already
    FAILED = "failed"


class Month(Struct, frozen=True):
    """A month that was paid: `invoice_id` is that of the payment, None for a further month of a yearly one."""

    first_day: date
    invoice_id: str | None = None


class Subscriptions(Protocol):
    """Raises StoreUnavailableError. Every method may be called again for the same thing: it is done once."""

    async def issue_bonus(self, user_id: str, rules: SubscriptionRules) -> Issued:
        """Credit the bonus if it is due by what is in the books now. FAILED: nothing was changed, and it is noted."""
        ...

    async def advance(self, rules: SubscriptionRules) -> tuple[str, ...]:
        """Credit the months of yearly subscriptions that have begun, and end what was cancelled and is used up.

        Returns the ids of subscriptions that it could do nothing for, because their tier is not known any more.
        """
        ...
