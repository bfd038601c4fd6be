from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.months import add_months, first_of_month, months_between, read_instant

INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31T10:00:00", 1, "2026-02-28T10:00:00"),
        ("2024-01-31T10:00:00", 1, "2024-02-29T10:00:00"),
        ("2026-03-31T00:00:00", -1, "2026-02-28T00:00:00"),
        ("2026-01-15T00:00:00", -1, "2025-12-15T00:00:00"),
        ("2025-12-31T23:59:59", 2, "2026-02-28T23:59:59"),
        ("2026-05-05T05:05:05", 0, "2026-05-05T05:05:05"),
    ],
)
def test_a_short_month_ends_with_its_last_day(start: str, months: int, end: str) -> None:
    moved = add_months(datetime.fromisoformat(start).replace(tzinfo=UTC), months)
    assert moved == datetime.fromisoformat(end).replace(tzinfo=UTC)


@given(INSTANTS, st.integers(-600, 600))
def test_so_many_months_later_is_so_many_months_later(start: datetime, months: int) -> None:
    moved = add_months(start, months)
    assert months_between(start, moved.date()) == months
    assert moved.timetz() == start.timetz()
    assert start.day - 3 <= moved.day <= start.day


def test_outside_the_calendar() -> None:
    with pytest.raises(OverflowError):
        add_months(datetime(9999, 12, 1, tzinfo=UTC), 1)


def test_months_are_those_of_utc() -> None:
    """Half past midnight in Berlin is the evening before in UTC."""
    berlin = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert first_of_month(berlin) == date(2026, 2, 1)
    assert months_between(berlin, date(2026, 2, 1)) == 0
    assert add_months(berlin, 1) == datetime(2026, 3, 28, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T10:00:00Z", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01T10:00:00+02:00", datetime(2026, 2, 1, 8, tzinfo=UTC)),
        ("garbage", None),
        ("", None),
        ("2026-13-01", None),
        ("0001-01-01T00:00:00+23:00", None),
    ],
)
def test_instants_from_texts(text: str, instant: datetime | None) -> None:
    assert read_instant(text) == instant
