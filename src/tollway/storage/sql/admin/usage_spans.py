"""Pages of usage of one model or key, which may be few rows among very many: the sums per day say where to look.

They name the days and users with such requests, and each of those is one short range of the index by user. Without them
a page of a model that nobody uses would read everything the organization did in a year.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Text, func, select

from tollway.admin.usage import (
    DAY_MS,
    UsageFilter,
    UsedRequest,
    day_at,
    day_begin,
    first_id,
    id_at,
    milliseconds,
    milliseconds_of,
)
from tollway.storage.sql.admin.usage_listed import LISTED, conditions, conditions_of_days, listed, sums_for
from tollway.storage.sql.packed import pack, rows
from tollway.storage.sql.tables import usage
from tollway.storage.sql.usage_sums import summed_until

_spans: Final = rows("spans", user_id=Text, first=Text, last=Text)


def list_filtered(connection: Connection, wanted: UsageFilter, limit: int, last: str) -> list[UsedRequest]:
    """Up to `limit` requests with ids below `last`, newest first: those that are not summed yet, then by day."""
    first, mark = first_id(wanted.since), id_at(summed_until(connection))
    found = _rows(connection, LISTED.where(*conditions(wanted, max(first, mark), last)), limit)
    last = min(last, mark)
    if len(found) == limit or first >= last:
        return found
    missing = limit - len(found)
    spans = list(_where_to_look(connection, wanted, missing, last))
    if not spans:
        return found
    query = LISTED.join_from(
        _spans, usage, (usage.c.user_id == _spans.c.user_id) & usage.c.id.between(_spans.c.first, _spans.c.last)
    )
    return found + _rows(connection, query.where(*conditions(wanted, first, last)), missing, spans=pack(spans))


def _rows(connection: Connection, query: Any, limit: int, **values: str) -> list[UsedRequest]:
    return list(listed(connection, query.order_by(usage.c.id.desc()).limit(limit), **values))


def _where_to_look(
    connection: Connection, wanted: UsageFilter, missing: int, last: str
) -> Iterator[tuple[str, str, str]]:
    """Users and ranges of ids in which so many requests below `last` are, if there are so many."""
    newest, oldest = day_at(milliseconds_of(last) - 1), day_at(milliseconds(wanted.since))
    sums = sums_for(wanted, "user_id")
    of_days = conditions_of_days(wanted, sums)
    days = select(sums.c.day, func.sum(sums.c.requests)).group_by(sums.c.day)
    days = days.where(*of_days, sums.c.day <= newest, sums.c.day >= oldest)
    counted = connection.execute(days.order_by(sums.c.day.desc()).limit(missing + 1)).all()
    chosen = list(_enough([(day, int(requests)) for day, requests in counted], newest, missing))
    if not chosen:
        return
    users = select(sums.c.day, sums.c.user_id).distinct()
    for day, user_id in connection.execute(users.where(*of_days, sums.c.day.in_(chosen))):
        begin = day_begin(day)
        yield user_id, id_at(begin), id_at(begin + DAY_MS)


def _enough(counted: list[tuple[date, int]], newest: date, missing: int) -> Iterator[date]:
    """Of `newest` some may be above the cursor, so it counts for nothing."""
    for day, requests in counted:
        if missing <= 0:
            return
        yield day
        missing -= requests if day < newest else 0
