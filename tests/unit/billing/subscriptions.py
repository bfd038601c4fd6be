"""A subscription to change, and the shipped rules."""

from datetime import UTC, datetime
from typing import Any, Final

from tollway.billing.bonus import Cadence, Subscription
from tollway.storage.presets import load_preset

RULES: Final = load_preset("kilo").subscriptions
MARCH: Final = datetime(2026, 3, 1, tzinfo=UTC)


def subscription(**changes: Any) -> Subscription:
    values: dict[str, Any] = {
        "id": "s1",
        "user_id": "ann",
        "tier": "tier_19",
        "cadence": Cadence.MONTHLY,
        "status": "active",
        "is_cancelling": False,
        "started_at": MARCH,
        "created_at": MARCH,
        "streak_months": 1,
        "next_issue_at": None,
    }
    return Subscription(**{**values, **changes})
