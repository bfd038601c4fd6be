"""Months of the calendar, in UTC. Pure.

A month that is too short for a day ends with its last one: 31 January + 1 month is 28 or 29 February.
Source: response-path 7.5, 7.6.
"""

from calendar import monthrange
from datetime import UTC, date, datetime
from typing import Final

_MONTHS: Final = 12


def add_months(instant: datetime, months: int) -> datetime:
    """`instant`, aware, so many months later (below 0: earlier), at the same time of day in UTC.

    Raises OverflowError outside the years 1 to 9999.
    """
    utc = instant.astimezone(UTC)
    year, month = divmod(utc.year * _MONTHS + utc.month - 1 + months, _MONTHS)
    if not date.min.year <= year <= date.max.year:
        raise OverflowError("the month is not in the calendar")
    return utc.replace(year=year, month=month + 1, day=min(utc.day, monthrange(year, month + 1)[1]))


def first_of_month(instant: datetime) -> date:
    """The first day of the month in which `instant`, aware, lies."""
    return instant.astimezone(UTC).date().replace(day=1)


def months_between(start: datetime, month: date) -> int:
    """From the month of `start` to `month`; below 0 when that one is the earlier."""
    utc = start.astimezone(UTC)
    return (month.year - utc.year) * _MONTHS + month.month - utc.month


def read_instant(text: str) -> datetime | None:
    """An ISO 8601 date or instant, in UTC; None for a text that is none. Without a zone it is meant in UTC."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
