"""Notices: what is to be done or told once a settlement is over. Written in its transaction, so none is lost; handled
after it, so no request waits. Source: response-path 6.10, 6.17, 7.4.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Protocol

from msgspec import Struct

from tollway.money import MICRODOLLARS_MAX, MICRODOLLARS_PER_USD, Microdollars, MoneyOverflowError, round_usd
from tollway.settings import NoticeSettings

MINIMUM: Final = "minimum_balance_microdollars"  # as organizations.settings names it
MINIMUM_USD: Final = "minimum_balance"
ATTEMPTS_MAX: Final = 10
LOCKED_FOR: Final = timedelta(hours=2)  # how long one top-up may take before the next is asked for
_PAUSE_S_MAX: Final = 3_600


class NoticeKind(StrEnum):
    """The first is for Tollway itself; the others are told to whoever the operator names. Values go on the wire."""

    BONUS_DUE = "bonus_due"
    LOW_BALANCE = "low_balance"
    TOP_UP_DUE = "top_up_due"


class Notice(Struct, frozen=True):
    """`attempts`: how often it was tried to handle it, this time included. `payload` is plain JSON."""

    id: str
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    attempts: int = 0


class Alert(Struct, frozen=True):
    """Whom an organization wants to have told when its balance falls below `minimum`."""

    minimum: Microdollars
    recipients: tuple[str, ...]


class TopUpRules(Struct, frozen=True):
    """Below which balance an account is topped up, if it wants to be."""

    user_below: Microdollars = Microdollars(5_000_000)
    organization_below: Microdollars = Microdollars(50_000_000)


def top_up_rules(settings: NoticeSettings) -> TopUpRules:
    user, organization = settings.top_up_below_usd, settings.top_up_below_organization_usd
    return TopUpRules(Microdollars(user * MICRODOLLARS_PER_USD), Microdollars(organization * MICRODOLLARS_PER_USD))


class Notices(Protocol):
    """Raises StoreUnavailableError."""

    async def take(self, limit: int) -> tuple[Notice, ...]:
        """Notices that are due, oldest first. They are nobody else's for as long as `pause_after` says."""
        ...

    async def forget(self, notice_id: str) -> None:
        """It is handled, or given up."""
        ...


def read_alert(settings: Mapping[str, Any]) -> Alert | None:
    """The alert in an organization's settings; None: off, or nothing that can be read."""
    amount, recipients = read_minimum(settings), settings.get("minimum_balance_alert_email")
    named = [one for one in recipients if isinstance(one, str) and one] if isinstance(recipients, list) else []
    return None if amount is None else Alert(amount, tuple(named))


def read_minimum(settings: Mapping[str, Any]) -> Microdollars | None:
    """Below which balance an organization wants to be told, above 0. What Tollway stores is in micro-dollars; what came
    with the organization from elsewhere (`minimum_balance`) is in USD, and counts until somebody sets it here."""
    ours = settings.get(MINIMUM)
    if type(ours) is int:
        return Microdollars(ours) if 0 < ours <= MICRODOLLARS_MAX else None
    minimum = settings.get(MINIMUM_USD)
    if isinstance(minimum, bool) or not isinstance(minimum, int | float | str):
        return None
    try:
        amount = round_usd(Decimal(str(minimum)))
    except (InvalidOperation, ValueError, MoneyOverflowError):
        return None
    return amount if amount > 0 else None


def falls_below(minimum: int, before: int, after: int) -> bool:
    """The balance crosses the minimum from above: told once, not with each request below it."""
    return before >= minimum > after


def pause_after(attempts: int) -> timedelta:
    """How long to leave a notice alone after so many attempts: 2, 4, 8, … seconds, an hour at most."""
    return timedelta(seconds=min(_PAUSE_S_MAX, 2 ** min(attempts, 12)))
