from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.billing.bonus import Cadence
from tollway.billing.months import add_months, first_of_month
from tollway.billing.periods import Period, Standing, paid_period, scheduled_period
from unit.billing.subscriptions import subscription

BEGUN = datetime(2026, 1, 31, 10, tzinfo=UTC)
JANUARY, FEBRUARY, MARCH, APRIL, MAY = (date(2026, month, 1) for month in range(1, 6))


def at(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def monthly(newest: date | None = None, streak: int = 0, until: datetime | None = None) -> Standing:
    return Standing(subscription(started_at=BEGUN, streak_months=streak), until, newest)


def yearly(newest: date | None = None, due: datetime | None = None, until: datetime | None = None) -> Standing:
    one = subscription(started_at=BEGUN, streak_months=0, cadence=Cadence.YEARLY, next_issue_at=due)
    return Standing(one, until, newest)


def test_the_first_payment_is_for_the_first_month() -> None:
    """Whose end is the last day of a shorter month, at the same time of day; also when it is paid before it begins."""
    first = Period(JANUARY, at(2, 28), 1, None)
    assert paid_period(monthly(), BEGUN) == paid_period(monthly(), BEGUN - timedelta(days=3)) == first


@pytest.mark.parametrize(
    ("paid_at", "month", "until", "streak"),
    [
        (at(2, 28), FEBRUARY, at(3, 31), 3),  # when it is due
        (at(2, 10), FEBRUARY, at(3, 31), 3),  # before it is due
        (at(3, 15), FEBRUARY, at(3, 31), 3),  # late, within its month
        (at(3, 31, 9), FEBRUARY, at(3, 31), 3),  # an hour before the next month begins
        (at(3, 31), MARCH, at(4, 30), 1),  # a month was left out, and so the row is broken
        (at(5, 1), APRIL, at(5, 31), 1),
    ],
)
def test_which_month_is_paid(paid_at: datetime, month: date, until: datetime, streak: int) -> None:
    assert paid_period(monthly(JANUARY, 2, at(2, 28)), paid_at) == Period(month, until, streak, None)


def test_a_month_that_is_named_is_taken() -> None:
    """One of the past shortens nothing and breaks no row; none before the subscription began."""
    standing = monthly(APRIL, 1, at(5, 31))
    assert paid_period(standing, at(5, 1), FEBRUARY) == Period(FEBRUARY, at(5, 31), 1, None)
    assert paid_period(standing, at(5, 1), MAY) == Period(MAY, at(6, 30), 2, None)
    assert paid_period(standing, at(5, 1), date(2025, 12, 1)) is None


def test_a_yearly_payment_is_for_twelve_months_of_which_one_begins() -> None:
    end = datetime(2027, 1, 31, 10, tzinfo=UTC)
    assert paid_period(yearly(), BEGUN) == Period(JANUARY, end, 1, at(2, 28))
    again = paid_period(yearly(date(2026, 12, 1), end, end), end)
    assert again == Period(
        date(2027, 1, 1), datetime(2028, 1, 31, 10, tzinfo=UTC), 1, datetime(2027, 2, 28, 10, tzinfo=UTC)
    )


def test_the_further_months_begin_one_by_one_and_end_with_the_year() -> None:
    until, due, months = datetime(2027, 1, 31, 10, tzinfo=UTC), at(2, 28), [JANUARY]
    assert scheduled_period(yearly(JANUARY, due, until), due - timedelta(microseconds=1)) is None
    while period := scheduled_period(yearly(months[-1], due, until), until + timedelta(days=99)):
        months.append(period.month)
        assert period.next_issue_at is not None
        due = period.next_issue_at
    assert months == [date(2026, month, 1) for month in range(1, 13)]
    assert due == until


def test_a_year_that_is_paid_in_advance_takes_no_month_of_the_one_before() -> None:
    """The next of them begins with the payment; the others, and the new ones, by themselves."""
    due, until = at(11, 30), datetime(2027, 1, 31, 10, tzinfo=UTC)
    period = paid_period(yearly(date(2026, 10, 1), due, until), at(11, 15))
    assert period == Period(date(2026, 11, 1), datetime(2028, 1, 31, 10, tzinfo=UTC), 1, at(12, 31))


def test_nothing_begins_by_itself_that_was_not_paid() -> None:
    assert scheduled_period(yearly(JANUARY, at(2, 28)), at(9, 1)) is None
    assert scheduled_period(monthly(JANUARY, 1, at(2, 28)), at(9, 1)) is None


instants = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


@given(instants, st.lists(st.integers(0, 90), max_size=12), st.sampled_from(Cadence))
def test_payments_in_order_never_pay_a_month_twice(begun: datetime, pauses: list[int], cadence: Cadence) -> None:
    """Whenever they come, each is for a later month, which ends after it was paid or is paid in advance."""
    one = subscription(started_at=begun, streak_months=0, cadence=cadence)
    standing, now = Standing(one, None, None), begun
    for pause in pauses:
        now += timedelta(days=pause)
        period = paid_period(standing, now)
        assert period is not None
        assert standing.newest is None or period.month > standing.newest
        assert period.paid_until is not None
        assert period.paid_until > now
        assert period.next_issue_at is None or period.next_issue_at <= period.paid_until
        standing = Standing(one, period.paid_until, period.month)


@given(instants, st.lists(st.integers(0, 500), max_size=6), st.booleans())
def test_each_yearly_payment_brings_twelve_months(begun: datetime, pauses: list[int], is_late: bool) -> None:
    """However early it comes, and also when nobody has looked what has begun meanwhile."""
    standing, now, months = Standing(yearly().subscription, None, None), begun, list[date]()
    standing = replace(standing, subscription=replace(standing.subscription, started_at=begun, streak_months=0))

    def reach(period: Period | None) -> bool:
        nonlocal standing
        if period is None:
            return False
        months.append(period.month)
        subscription = replace(
            standing.subscription, next_issue_at=period.next_issue_at, streak_months=period.streak_months
        )
        standing = Standing(subscription, period.paid_until, period.month)
        return True

    for pause in pauses:
        now += timedelta(days=pause)
        while not is_late and reach(scheduled_period(standing, now)):
            pass
        assert reach(paid_period(standing, now))
    while reach(scheduled_period(standing, datetime(2150, 1, 1, tzinfo=UTC))):
        pass
    assert len(set(months)) == len(months) == 12 * len(pauses)
    assert months == sorted(months)


@given(instants, st.integers(0, 600))
def test_periods_do_not_drift(begun: datetime, number: int) -> None:
    """Paid for the n-th time without a pause, it ends where n months after the start end."""
    standing = Standing(subscription(started_at=begun, streak_months=0), None, None)
    if number:
        newest = first_of_month(add_months(begun, number - 1))
        standing = Standing(standing.subscription, add_months(begun, number), newest)
    period = paid_period(standing, begun)
    assert period is not None
    assert period.paid_until == add_months(begun, number + 1)
