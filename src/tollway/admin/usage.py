"""What was used: requests one by one, and sums by day, model, member or key, of one payer and a span of time.

Ids of requests are ordered by time, so a span of time is a span of ids, and a page goes on from the last id. Source:
catalog-and-clients E.6, F.3; guarantees §12.
"""

from collections.abc import AsyncIterator, Sequence
from csv import writer
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from io import StringIO
from typing import Any, Final, Protocol

from tollway.admin.fields import bad
from tollway.errors import Problem

SPAN_DEFAULT: Final = timedelta(days=30)
SPAN_MAX: Final = timedelta(days=366)
GROUPS_MAX: Final = 10_000
ROWS_IN_CSV_MAX: Final = 1_000_000
ROWS_IN_CSV_PAGE: Final = 500  # so few that making their text does not hold up requests
FILTER_CHARS_MAX: Final = 256
DAY_MS: Final = 86_400_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Grouping(StrEnum):
    DAY = "day"
    MODEL = "model"
    MEMBER = "member"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Of whom and when. `user_id` and `organization_id` None: of all. Instants: from `since` on, before `until`.

    `is_personal`: only what no organization paid for.
    """

    since: datetime
    until: datetime
    user_id: str | None = None
    organization_id: str | None = None
    is_personal: bool = False
    model: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class UsedRequest:
    """One request: what it used and, corrections included, cost."""

    id: str
    created_at: datetime
    user_id: str
    organization_id: str | None
    key_id: str | None
    provider_id: str
    requested_model: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    basis: str
    cost_microdollars: int
    has_error: bool


@dataclass(frozen=True, slots=True)
class UsedSum:
    """Of all requests of one group. A field by which is not grouped is None."""

    day: str | None
    model: str | None
    user_id: str | None
    key_id: str | None
    requests: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    cost_microdollars: int


class UsageStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def list_usage(self, wanted: UsageFilter, limit: int, before: str | None) -> tuple[UsedRequest, ...]:
        """Newest first, those with ids below `before`."""
        ...

    async def sum_usage(
        self, wanted: UsageFilter, by: Sequence[Grouping], limit: int, offset: int
    ) -> tuple[UsedSum, ...]:
        """By descending day, then by cost, then by the rest of the group."""
        ...


def check_span(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime] | Problem:
    """The last 30 days where nothing is said. Refuses: bad_request."""
    end = until or now + timedelta(seconds=1)
    begin = since or end - SPAN_DEFAULT
    if not timedelta(0) < end - begin <= SPAN_MAX:
        return bad("from", f"must be before `to`, by at most {SPAN_MAX.days} days")
    if begin < _EPOCH:
        return bad("from", "must be after 1970")
    return begin, end


def check_filter(name: str, value: str | None) -> str | Problem | None:
    """A text that can be the value of a column."""
    if value is None or (0 < len(value) <= FILTER_CHARS_MAX and value.isprintable()):
        return value
    return bad(name, f"must have 1 to {FILTER_CHARS_MAX} characters, none of them control characters")


def first_id(at: datetime) -> str:
    """Not above the id of any request that began at `at` or later, above that of any that began before."""
    return id_at(milliseconds(at))


def milliseconds(at: datetime) -> int:
    """Since 1970, as ids have them."""
    return max((at - _EPOCH) // timedelta(milliseconds=1), 0)


def id_at(ms: int) -> str:
    """The lowest id of that millisecond."""
    return f"{ms:012x}" + "0" * 20


def milliseconds_of(request_id: str) -> int:
    """When its id was made. Raises ValueError for an id that no worker makes."""
    return int(request_id[:12], 16)


def day_at(ms: int) -> date:
    """The UTC day of it."""
    return (_EPOCH + timedelta(milliseconds=ms)).date()


def day_begin(day: date) -> int:
    """Milliseconds since 1970."""
    return (day - _EPOCH.date()).days * DAY_MS


async def csv_pages(store: UsageStore, wanted: UsageFilter, before: str | None) -> AsyncIterator[str]:
    """A CSV file of all requests that are meant, newest first, in pieces: a line of names, then lines of requests.

    Each piece is a query of its own, because whoever reads slowly must not keep the database waiting. Requests that are
    settled meanwhile are newer than all that follow, so nothing comes twice. Raises StoreUnavailableError.
    """
    left, with_names = ROWS_IN_CSV_MAX, True
    while left:
        wished = min(left, ROWS_IN_CSV_PAGE)
        rows = await store.list_usage(wanted, wished, before)
        if rows or with_names:
            yield csv_text(rows, UsedRequest, with_names=with_names)
        if len(rows) < wished:
            return
        left, before, with_names = left - wished, rows[-1].id, False


def csv_text(rows: Sequence[UsedRequest] | Sequence[UsedSum], kind: type[Any], *, with_names: bool = True) -> str:
    """A line of names, then one for each row. Texts that a spreadsheet would take for a formula begin with a quote
    (guarantees W)."""
    names = [one.name for one in fields(kind)]
    buffer = StringIO()
    lines = writer(buffer, lineterminator="\r\n")
    if with_names:
        lines.writerow(names)
    lines.writerows([neutral(getattr(row, name)) for name in names] for row in rows)
    return buffer.getvalue()


def neutral(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
