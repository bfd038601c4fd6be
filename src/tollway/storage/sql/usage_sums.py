"""Sums of usage per day: kept beside the rows, so that a year of a large organization is summed from few of them.

Settlement must not pay for them, so rows are summed two hours after they began, a few thousand in one transaction, and
up to where that has gone is kept with them. Below that mark the sums are complete: whoever writes a row that began more
than an hour ago, or corrects one, asks for the mark and adds the difference in the same transaction. The mark stays
locked against being moved until that is committed. An hour is what clocks of a deployment may differ by. When the clock
was set back by more, the mark goes back with it, and what it had passed is summed once more.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tollway.admin.usage import DAY_MS, day_at, day_begin, id_at, milliseconds, milliseconds_of
from tollway.storage.sql.database import Database
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import deployment, usage
from tollway.storage.sql.usage_sums_tables import COUNTS, usage_days, usage_key_days, usage_model_days

MARK: Final = "usage_summed_until_ms"
SUM_AFTER: Final = timedelta(hours=2)
LATE_AFTER: Final = timedelta(hours=1)
ROWS_AT_ONCE: Final = 20_000
_LATE_AFTER_MS: Final = LATE_AFTER // timedelta(milliseconds=1)
STEPS_MAX: Final = 2_000  # in one run

TABLES: Final = (usage_model_days, usage_key_days, usage_days)  # coarsest first
COST: Final = usage.c.cost_microdollars + usage.c.corrected_microdollars
KEY: Final[Mapping[str, ColumnElement[Any]]] = {
    "organization_id": func.coalesce(usage.c.organization_id, ""),
    "user_id": usage.c.user_id,
    "key_id": func.coalesce(usage.c.key_id, ""),
    "model": usage.c.model,
    "usage_day": usage.c.usage_day,
}
COUNTED: Final[Mapping[str, ColumnElement[Any]]] = {
    "requests": literal(1),
    "errors": case((usage.c.has_error, 1), else_=0),
    "prompt_tokens": usage.c.prompt_tokens,
    "completion_tokens": usage.c.completion_tokens,
    "cached_tokens": usage.c.cached_tokens,
    "cache_write_tokens": usage.c.cache_write_tokens,
    "cost_microdollars": COST,
}
_CONDITIONS: Final[Mapping[str, ColumnElement[bool]]] = {
    "ids": among(usage.c.id, "ids"),
    "first": usage.c.id >= bindparam("first"),
    "last": usage.c.id < bindparam("last"),
    "usage_day": usage.c.usage_day == bindparam("usage_day"),
}
_SPAN: Final = (_CONDITIONS["first"], _CONDITIONS["last"])

_READ: Final = select(deployment.c.value).where(deployment.c.key == MARK)
_HOLD: Final = _READ.with_for_update(read=True)
_LOCK: Final = _READ.with_for_update()
_TAKE: Final = _READ.with_for_update(skip_locked=True)
_MOVE: Final = update(deployment).where(deployment.c.key == MARK).values(value=bindparam("until"))
_NEXT: Final = select(usage.c.id).where(*_SPAN).order_by(usage.c.id).limit(1)
_KEY_OF: Final = select(*(column.label(name) for name, column in KEY.items())).where(usage.c.id == bindparam("id"))
_CORRECT: Final = tuple(
    update(table)
    .where(*(column == bindparam(f"of_{column.name}") for column in table.primary_key))
    .values(cost_microdollars=table.c.cost_microdollars + bindparam("amount"))
    for table in TABLES
)


def summed_until(connection: Connection) -> int:
    """Milliseconds since 1970: what has a lower id is in the sums."""
    return int(connection.execute(_READ).scalar_one())


def add_late(connection: Connection, request_ids: Collection[str], now: datetime) -> None:
    """Rows that were inserted just now: those below the mark are added to the sums."""
    late = id_at(milliseconds(now - LATE_AFTER))
    if min(request_ids) >= late:
        return
    mark = id_at(int(connection.execute(_HOLD).scalar_one()))
    by_day: defaultdict[date, list[str]] = defaultdict(list)
    for request_id in request_ids:
        if request_id < mark:
            by_day[day_at(milliseconds_of(request_id))].append(request_id)
    for day, ids in sorted(by_day.items()):
        _add(connection, day, {"ids": pack(ids)})


def add_correction(connection: Connection, request_id: str, amount: int) -> None:
    """Its cost changed by that many micro-dollars."""
    mark = int(connection.execute(_HOLD).scalar_one())
    if not amount or request_id >= id_at(mark):
        return
    key = connection.execute(_KEY_OF, {"id": request_id}).one()._mapping
    values = {f"of_{name}": value for name, value in key.items()}
    values |= {"of_day": day_at(milliseconds_of(request_id)), "amount": amount}
    for statement in _CORRECT:
        connection.execute(statement, {name: values[name] for name in statement.compile().params})


async def sum_up(database: Database, now: datetime) -> int:
    """Move the mark to two hours ago, as far as that gets in one run. Returns in how many steps.

    Raises StoreUnavailableError.
    """
    until = milliseconds(now - SUM_AFTER)
    for steps in range(STEPS_MAX):
        if not await database.write(lambda connection: _step(connection, until)):
            return steps
    return STEPS_MAX


def _step(connection: Connection, until: int) -> bool:
    """Some more rows of one day; False when the mark is there, or somebody else moves it."""
    mark = connection.execute(_TAKE).scalar()
    if mark is not None and mark > until + _LATE_AFTER_MS:
        _go_back(connection, day_at(until))
        return True
    if mark is None or mark >= until:
        return False
    found = connection.execute(_NEXT, {"first": id_at(mark), "last": id_at(until)}).scalar()
    if found is None:
        connection.execute(_MOVE, {"until": until})
        return True
    begin = milliseconds_of(found)
    day = day_at(begin)
    span = {"first": found, "last": id_at(min(day_begin(day) + DAY_MS, until))}
    cut = connection.execute(_NEXT.offset(ROWS_AT_ONCE), span).scalar()
    if cut is not None:
        span["last"] = id_at(max(milliseconds_of(cut), begin + 1))
    _add(connection, day, span)
    connection.execute(_MOVE, {"until": milliseconds_of(span["last"])})
    return True


def _go_back(connection: Connection, day: date) -> None:
    """To the beginning of that day: rows of the time that comes once more are below the mark, and nobody added them."""
    for table in TABLES:
        connection.execute(delete(table).where(table.c.day >= day))
    connection.execute(_MOVE, {"until": day_begin(day)})


async def sum_day_again(database: Database, day: date) -> None:
    """What counts for that day is summed anew. Raises StoreUnavailableError."""

    def work(connection: Connection) -> None:
        mark = int(connection.execute(_LOCK).scalar_one())
        for table in TABLES:
            connection.execute(delete(table).where(table.c.usage_day == day))
        for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
            begin = day_begin(near)
            span = {"first": id_at(begin), "last": id_at(min(begin + DAY_MS, mark))}
            _add(connection, near, {**span, "usage_day": day})

    await database.write(work)


def _add(connection: Connection, day: date, which: Mapping[str, str | date]) -> None:
    """Rows with ids of that day to all tables, those that meet the conditions that `which` has values of."""
    for table in TABLES:
        connection.execute(_adding(connection.dialect.name, table, tuple(which)), {**which, "day": day})


@cache
def _adding(dialect: str, table: Table, conditions: tuple[str, ...]) -> Any:
    """INSERT … SELECT; what is there already is added to."""
    keys = [column.name for column in table.primary_key if column.name != "day"]
    chosen = [_CONDITIONS[name] for name in conditions]
    grouped = [KEY[name] for name in keys]
    sums = [func.sum(COUNTED[name]) for name in COUNTS]
    summed = select(bindparam("day", type_=Date), *grouped, *sums).where(*chosen).group_by(*grouped)
    summed = summed.order_by(*grouped)  # two that add late rows lock what both add to in one order
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    inserted = insert(table).from_select(["day", *keys, *COUNTS], summed)
    more = {name: table.c[name] + inserted.excluded[name] for name in COUNTS}
    return inserted.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)


def wrong_days(connection: Connection) -> Iterator[tuple[date, int, int]]:
    """Days whose sums are not those of their rows: the day, what their requests cost, what is said they did. Two equal
    amounts: it is the number of requests that is wrong."""
    below = usage.c.id < id_at(summed_until(connection))
    of_rows = select(usage.c.usage_day, func.count(), func.sum(COST)).where(below).group_by(usage.c.usage_day)
    rows = _by_day(connection, of_rows)
    for table in TABLES:
        of_sums = select(table.c.usage_day, func.sum(table.c.requests), func.sum(table.c.cost_microdollars))
        sums = _by_day(connection, of_sums.group_by(table.c.usage_day))
        for day in sorted({*rows, *sums}):
            expected, found = rows.get(day, (0, 0)), sums.get(day, (0, 0))
            if expected != found:
                yield day, expected[1], found[1]


def _by_day(connection: Connection, statement: Select[Any]) -> dict[date, tuple[int, int]]:
    return {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(statement)}
