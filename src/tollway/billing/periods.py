"""Periods of a subscription: which month a payment is for, and until when it has been paid. Pure.

A subscription's periods are counted from the instant it started: the first begins then, each further one a month later,
on the same day or the last of a shorter month, never drifting. A month of the calendar is named after the period that
begins in it. A payment is for one month, or for twelve where it is yearly; of those the further ones are credited when
they begin. Source: response-path 7.2, 7.3, 7.5.
"""

from datetime import date, datetime
from typing import Final

from msgspec import Struct

from tollway.billing.bonus import Cadence, Subscription
from tollway.billing.months import add_months, first_of_month, months_between

YEAR: Final = 12


class Standing(Struct, frozen=True):
    """How far a subscription has come. `newest`: the first day of the last month credited, if any was."""

    subscription: Subscription
    paid_until: datetime | None
    newest: date | None

    @property
    def begun_at(self) -> datetime:
        return self.subscription.started_at or self.subscription.created_at


class Period(Struct, frozen=True):
    """A month to be credited, and what the subscription is like from then on."""

    month: date
    paid_until: datetime | None
    streak_months: int
    next_issue_at: datetime | None


def paid_period(standing: Standing, paid_at: datetime, named: date | None = None) -> Period | None:
    """What a payment is for: the month that follows the last one paid, or the present one where months were left out.

    Where months of a yearly payment have not begun yet, another year follows them, and the next of them begins now.
    `named`: the first day of the month where somebody says which. None: that month is before the subscription began.
    Raises OverflowError outside the calendar.
    """
    waiting = _waiting(standing)
    if waiting is not None:
        return _period(standing, waiting, add_months(standing.begun_at, _following(standing) + YEAR))
    begun, is_yearly = standing.begun_at, standing.subscription.cadence is Cadence.YEARLY
    number = max(_following(standing), _number_at(begun, paid_at), 0) if named is None else months_between(begun, named)
    if number < 0:
        return None
    until = add_months(begun, number + (YEAR if is_yearly else 1))
    if standing.paid_until is not None:
        until = max(until, standing.paid_until)
    return _period(standing, number, until)


def scheduled_period(standing: Standing, now: datetime) -> Period | None:
    """The further month of a yearly payment that has begun by `now`; None: there is none that was paid."""
    number, due, until = _waiting(standing), standing.subscription.next_issue_at, standing.paid_until
    if number is None or due is None or until is None or due > now:
        return None
    return _period(standing, number, until)


def _waiting(standing: Standing) -> int | None:
    """The number of the next month that a yearly payment has paid and that has not begun; None: there is none."""
    due, until = standing.subscription.next_issue_at, standing.paid_until
    is_yearly = standing.subscription.cadence is Cadence.YEARLY
    if not is_yearly or due is None or until is None or due >= until:
        return None
    return _number_at(standing.begun_at, due)


def _period(standing: Standing, number: int, until: datetime) -> Period:
    month = first_of_month(add_months(standing.begun_at, number))
    is_yearly = standing.subscription.cadence is Cadence.YEARLY
    next_issue_at = add_months(standing.begun_at, number + 1) if is_yearly else None
    return Period(month, until, _streak(standing, month), next_issue_at)


def _following(standing: Standing) -> int:
    """The number of the period after the last one paid; 0 before the first payment."""
    if standing.subscription.cadence is Cadence.YEARLY and standing.paid_until is not None:
        return _number_at(standing.begun_at, standing.paid_until)
    return 0 if standing.newest is None else months_between(standing.begun_at, standing.newest) + 1


def _number_at(begun: datetime, instant: datetime) -> int:
    """Of the period in which `instant` lies: 0 for the first, below 0 before it."""
    number = months_between(begun, first_of_month(instant))
    return number - 1 if add_months(begun, number) > instant else number


def _streak(standing: Standing, month: date) -> int:
    """How many months in a row are paid with this one. A month paid late changes nothing of what is paid since."""
    streak, newest = standing.subscription.streak_months, standing.newest
    if newest is None:
        return streak + 1
    gap = (month.year - newest.year) * YEAR + month.month - newest.month
    if gap == 1:
        return streak + 1
    return streak if gap < 1 else 1
