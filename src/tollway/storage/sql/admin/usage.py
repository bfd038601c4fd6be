"""Rows of usage, listed and summed. Each query reads one span of ids of one payer, through an index.

Sums read `usage_days` where a span covers whole days that are summed already, and rows for the rest of it.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, func, literal, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from tollway.admin.usage import (
    DAY_MS,
    Grouping,
    UsageFilter,
    UsedRequest,
    UsedSum,
    day_at,
    first_id,
    id_at,
    milliseconds,
)
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.admin.usage_listed import LISTED, conditions, conditions_of_days, listed, sums_for
from tollway.storage.sql.admin.usage_spans import list_filtered
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage
from tollway.storage.sql.usage_sums import COUNTED, KEY, summed_until

SUMS_AT_ONCE: Final = 2  # of a worker, so that those of a year do not take all its connections
SUM_S: Final = 30
_COLUMNS: Final = {  # in tables of sums per day
    Grouping.DAY: "usage_day",
    Grouping.MODEL: "model",
    Grouping.MEMBER: "user_id",
    Grouping.KEY: "key_id",
}


@dataclass(frozen=True, slots=True)
class _Parts:
    """Of a span of time: the days that are summed, from `first` on and before `end`, and the spans of ids besides."""

    first: date
    end: date
    ids: tuple[tuple[str, str], ...]


class SqlUsageListing(SqlSubject):
    """Implements UsageStore."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._turn = asyncio.Semaphore(SUMS_AT_ONCE)

    async def list_usage(self, wanted: UsageFilter, limit: int, before: str | None) -> tuple[UsedRequest, ...]:
        first, last = first_id(wanted.since), first_id(wanted.until)
        if before is not None:
            last = min(last, before)

        def work(connection: Connection) -> tuple[UsedRequest, ...]:
            if wanted.model is not None or wanted.key_id is not None:
                return tuple(list_filtered(connection, wanted, limit, last))
            statement = LISTED.where(*conditions(wanted, first, last)).order_by(usage.c.id.desc()).limit(limit)
            return tuple(listed(connection, statement))

        return await self._database.read(work)

    async def sum_usage(
        self, wanted: UsageFilter, by: Sequence[Grouping], limit: int, offset: int
    ) -> tuple[UsedSum, ...]:
        def work(connection: Connection) -> tuple[UsedSum, ...]:
            statement = _summed(wanted, by, _parts(wanted, summed_until(connection)))
            return tuple(_sum(row) for row in connection.execute(statement.limit(limit).offset(offset)))

        # One snapshot: what is summed between the two queries would be counted twice.
        async with self._turn:
            return await self._database.read_snapshot(work, statement_s=SUM_S)


def _parts(wanted: UsageFilter, mark: int) -> _Parts:
    """The day of the mark is summed up to it."""
    since, until = milliseconds(wanted.since), milliseconds(wanted.until)
    first = -(-since // DAY_MS) * DAY_MS
    end = mark if mark <= until else until // DAY_MS * DAY_MS
    if first >= end:
        return _Parts(day_at(0), day_at(0), ((id_at(since), id_at(until)),))
    ids = tuple((id_at(begin), id_at(stop)) for begin, stop in ((since, first), (end, until)) if begin < stop)
    return _Parts(day_at(first), day_at(end - 1) + timedelta(days=1), ids)


def _summed(wanted: UsageFilter, by: Sequence[Grouping], parts: _Parts) -> Select[Any]:
    used = union_all(*_used(wanted, by, parts)).subquery("used")
    names = [one.value for one in Grouping if one in by]
    cost = _total(used.c.cost_microdollars)
    statement = select(
        *(used.c[one.value] if one in by else literal(None) for one in Grouping),
        *(_total(used.c[name]) for name in COUNTED if name != "cost_microdollars"),
        cost.label("cost"),
    )
    grouped = [used.c[name] for name in names]
    order: list[Any] = [used.c.day.desc()] if Grouping.DAY in by else []
    return statement.group_by(*grouped).order_by(*order, cost.desc(), *grouped)


def _used(wanted: UsageFilter, by: Sequence[Grouping], parts: _Parts) -> Iterator[Select[Any]]:
    """What is to be summed, from each place where some of it is."""
    groups: Iterator[ColumnElement[Any]]
    counted: Iterator[ColumnElement[Any]]
    for first, last in parts.ids:
        groups = (KEY[_COLUMNS[one]].label(one.value) for one in by)
        counted = (column.label(name) for name, column in COUNTED.items())
        yield select(*groups, *counted).where(*conditions(wanted, first, last))
    if parts.first < parts.end:
        sums = sums_for(wanted, *(_COLUMNS[one] for one in by))
        groups = (sums.c[_COLUMNS[one]].label(one.value) for one in by)
        span = sums.c.day >= parts.first, sums.c.day < parts.end
        counted = (sums.c[name] for name in COUNTED)
        yield select(*groups, *counted).where(*conditions_of_days(wanted, sums), *span)


def _total(column: Any) -> ColumnElement[int]:
    """0 of no rows. PostgreSQL sums 64-bit integers to a decimal, so no sum overflows."""
    return func.coalesce(func.sum(column), 0)


def _sum(row: Any) -> UsedSum:
    day, model, user_id, key_id, *numbers = row
    counts = (int(number) for number in numbers)
    return UsedSum(None if day is None else str(day), model, user_id, key_id or None, *counts)
