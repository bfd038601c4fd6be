"""Views of usage: sums per day say what the rows say, whoever writes late; pages and files have each row once."""

import asyncio
import csv
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from datetime import date, datetime, timedelta
from io import StringIO
from itertools import chain, combinations
from random import Random

import pytest
from sqlalchemy import Connection, event, select, text

from contract.scenario import START, Clock, outcome, record
from tollway.admin import usage as usage_views
from tollway.admin.usage import Grouping, UsageFilter, UsedRequest, UsedSum, csv_pages, first_id, id_at
from tollway.billing.ledger import Basis, BudgetKind, BudgetRef, Correction, Hold, Outcome
from tollway.money import Microdollars
from tollway.storage.sql import usage_sums
from tollway.storage.sql.admin.usage import SqlUsageListing
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import SUMMED, verify_books
from tollway.storage.sql.database import Database
from tollway.storage.sql.usage_sums import SUM_AFTER, sum_day_again, sum_up, summed_until
from tollway.storage.sql.usage_sums_tables import usage_days, usage_key_days, usage_model_days

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGIN = START - 6 * DAY  # START is noon
GROUPINGS = list(chain.from_iterable(combinations(Grouping, number) for number in range(5)))
FILTERS = [
    {"organization_id": "acme"},
    {"organization_id": "acme", "model": "m/rare"},
    {"organization_id": "acme", "model": "m/none"},
    {"organization_id": "acme", "key_id": "k-bob"},
    {"organization_id": "acme", "user_id": "bob"},
    {"organization_id": "acme", "user_id": "bob", "model": "m/1", "key_id": "k-bob"},
    {"user_id": "ann", "is_personal": True},
    {"user_id": "ann"},
    {},
]
SPANS = [
    (BEGIN, START),
    (BEGIN + 5 * HOUR, START - 30 * HOUR),
    (BEGIN + 12 * HOUR, BEGIN + 60 * HOUR),  # midnight to midnight
    (BEGIN + DAY, BEGIN + DAY + HOUR),
    (START - 3 * HOUR, START),
]


def used(number: int, at: datetime, dice: Random, **changes: object) -> Outcome:
    """One request; some have no key, some no organization, and the day it counts for may be the next one."""
    user, organization = dice.choice([("ann", None), ("ann", "acme"), ("bob", "acme"), ("cat", "acme")])
    payer = BudgetRef(BudgetKind.ORGANIZATION, "acme") if organization else BudgetRef(BudgetKind.USER, user)
    zero = Microdollars(0)
    hold = Hold(first_id(at)[:12] + f"{number:020x}", zero, (payer,), (zero,), (at + timedelta(seconds=1)).date())
    said = record(
        user_id=user,
        organization_id=organization,
        key_id=dice.choice([None, f"k-{user}"]),
        model="m/rare" if number % 60 == 7 else f"m/{dice.randrange(3)}",
        has_error=number % 9 == 0,
        created_at=at,
    )
    return outcome(hold, dice.randrange(90), record=said, **changes)


@pytest.fixture
def dice() -> Random:
    return Random(7)


@pytest.fixture
def settled(database: Database, books: SqlBooks, dice: Random) -> list[Outcome]:
    """Six days of requests, several of them in one millisecond, one a moment before midnight."""
    instants = [BEGIN + timedelta(milliseconds=dice.randrange(6 * 86_400) * 1000) for _ in range(150)]
    instants += [BEGIN + 12 * HOUR - timedelta(milliseconds=1), *instants[:50]]
    made = [used(number, at, dice) for number, at in enumerate(instants)]
    asyncio.run(books.settle("w1", made))
    return made


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_sums, "ROWS_AT_ONCE", 7)


def meant(made: list[Outcome], wanted: UsageFilter) -> list[Outcome]:
    """The plain answer, newest first."""
    found = []
    for one in made:
        said = one.record
        told = {"user_id": said.user_id, "organization_id": said.organization_id}
        told |= {"model": said.model, "key_id": said.key_id}
        asked = {name: getattr(wanted, name) for name in told}
        is_it = all(value is None or told[name] == value for name, value in asked.items())
        is_it = is_it and first_id(wanted.since) <= one.hold.request_id < first_id(wanted.until)
        if is_it and not (wanted.is_personal and said.organization_id):
            found.append(one)
    return sorted(found, key=lambda one: one.hold.request_id, reverse=True)


def summed(made: list[Outcome], by: tuple[Grouping, ...]) -> dict[tuple[object, ...], tuple[int, int, int]]:
    """By group: requests, errors, cost."""
    sums: dict[tuple[object, ...], tuple[int, int, int]] = {} if by else {(None,) * 4: (0, 0, 0)}
    for one in made:
        said = one.record
        values = (one.hold.usage_day.isoformat(), said.model, said.user_id, said.key_id)
        group = tuple(value if each in by else None for each, value in zip(Grouping, values, strict=True))
        requests, errors, cost = sums.get(group, (0, 0, 0))
        sums[group] = (requests + 1, errors + said.has_error, cost + one.charge)
    return sums


def as_summed(found: tuple[UsedSum, ...]) -> dict[tuple[object, ...], tuple[int, int, int]]:
    told = {(one.day, one.model, one.user_id, one.key_id): one for one in found}
    assert len(told) == len(found)
    return {group: (one.requests, one.errors, one.cost_microdollars) for group, one in told.items()}


async def check_all(database: Database, made: list[Outcome], groupings: list[tuple[Grouping, ...]]) -> None:
    listing = SqlUsageListing(database)
    for span in SPANS:
        for what in FILTERS:
            wanted = UsageFilter(*span, **what)
            expected = meant(made, wanted)
            for by in groupings:
                sums = await listing.sum_usage(wanted, by, 1_000, 0)
                assert as_summed(sums) == summed(expected, by), (span, what, by)
            ids = [one.id async for one in pages(listing, wanted, 7)]
            assert ids == [one.hold.request_id for one in expected], (span, what)


async def pages(listing: SqlUsageListing, wanted: UsageFilter, limit: int) -> AsyncIterator[UsedRequest]:
    before = None
    while found := await listing.list_usage(wanted, limit, before):
        for one in found:
            yield one
        before = found[-1].id
        if len(found) < limit:
            return


@pytest.mark.parametrize("passed", [timedelta(0), 40 * HOUR, 6 * DAY])
@pytest.mark.usefixtures("small_steps")
async def test_views_tell_what_was_used_however_much_is_summed(
    database: Database, settled: list[Outcome], passed: timedelta
) -> None:
    await sum_up(database, BEGIN + passed + SUM_AFTER)
    await check_all(database, settled, GROUPINGS if passed == 40 * HOUR else GROUPINGS[:6])


@pytest.mark.usefixtures("small_steps")
async def test_what_is_settled_late_is_summed(
    database: Database, books: SqlBooks, settled: list[Outcome], dice: Random
) -> None:
    """A journal may wait for days."""
    await sum_up(database, START - DAY)
    late = [used(1_000 + number, BEGIN + number * 3 * HOUR, dice) for number in range(48)]
    await books.settle("w2", late)
    await books.settle("w1", late[:5])  # once more, which changes nothing
    await check_all(database, settled + late, GROUPINGS[:3])
    assert await verify_books(database) == []


@pytest.mark.usefixtures("small_steps")
async def test_corrections_reach_the_sums(
    database: Database, books: SqlBooks, settled: list[Outcome], dice: Random
) -> None:
    old, new = (used(2_000 + number, at, dice, basis=Basis.ESTIMATED) for number, at in enumerate((BEGIN, START)))
    await books.settle("w1", [old, new])
    await sum_up(database, START)
    listing, everything = SqlUsageListing(database), UsageFilter(BEGIN, START + DAY)
    (before,) = await listing.sum_usage(everything, (), 1, 0)
    for one, amount in ((old, 70), (new, 5)):
        assert await books.correct(one.hold.request_id, Correction(amount, 0))
        assert not await books.correct(one.hold.request_id, Correction(amount, 0))
    (after,) = await listing.sum_usage(everything, (), 1, 0)
    assert after.cost_microdollars - before.cost_microdollars == 75
    assert after.requests == before.requests
    assert await verify_books(database) == []


async def test_who_sums_and_who_settles_do_not_miss_each_other(
    database: Database, books: SqlBooks, settled: list[Outcome], dice: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_sums, "ROWS_AT_ONCE", 3)
    late = [used(3_000 + number, BEGIN + number * HOUR, dice) for number in range(140)]
    batches = [books.settle("w1", late[place : place + 4]) for place in range(0, len(late), 4)]
    await asyncio.gather(sum_up(database, START), *batches, sum_up(database, START))
    await sum_up(database, START)
    assert await verify_books(database) == []
    await check_all(database, settled + late, GROUPINGS[:2])


async def test_the_mark_stops_two_hours_before_now_and_stays(database: Database, settled: list[Outcome]) -> None:
    await sum_up(database, START)
    mark = await database.read(summed_until)
    assert id_at(mark) == first_id(START - SUM_AFTER)
    await sum_up(database, START - HOUR)  # clocks differ
    assert await database.read(summed_until) == mark
    assert await sum_up(database, START) == 0
    for table in (usage_days, usage_key_days, usage_model_days):
        rows = await database.read(
            lambda connection, of=table: connection.execute(select(of.c.requests)).scalars().all()
        )
        assert sum(rows) == sum(one.hold.request_id < id_at(mark) for one in settled)
        assert len(rows) < len(settled)


@pytest.mark.parametrize("ahead", [timedelta(hours=4), 2 * DAY])
async def test_a_clock_that_is_set_back_leaves_nothing_out(
    database: Database, books: SqlBooks, settled: list[Outcome], dice: Random, ahead: timedelta
) -> None:
    """What comes then is below the mark and not late, so nobody has added it."""
    await books.settle("w1", [used(6_000, START + ahead - HOUR, dice)])
    await sum_up(database, START + ahead + SUM_AFTER)
    again = [used(6_001 + number, START - timedelta(minutes=number), dice) for number in range(1, 80)]
    await books.settle("w1", again[:50])
    await books.settle("w1", again[50:])
    await sum_up(database, START)
    assert await verify_books(database) == []
    await check_all(database, settled + again, GROUPINGS[:2])
    await sum_up(database, START + 4 * DAY)
    assert await verify_books(database) == []


async def test_sums_that_are_wrong_are_told_and_made_anew(database: Database, settled: list[Outcome]) -> None:
    await sum_up(database, START)
    change = "UPDATE usage_key_days SET cost_microdollars = cost_microdollars + 1 WHERE usage_day = '2026-02-25'"
    rows = await database.write(lambda connection: connection.execute(text(change)).rowcount)
    (found,) = await verify_books(database)
    assert (found.check, found.subject, found.found - found.expected) == (SUMMED, "2026-02-25", rows)
    await sum_day_again(database, date(2026, 2, 25))
    assert await verify_books(database) == []
    await check_all(database, settled, GROUPINGS[:2])


@pytest.mark.parametrize("what", FILTERS[:3])
async def test_pages_stay_as_they_are_while_rows_come(
    database: Database, books: SqlBooks, settled: list[Outcome], dice: Random, what: dict[str, str]
) -> None:
    """Newer rows do not move older ones, whether sums are moved on or not."""
    listing, wanted = SqlUsageListing(database), UsageFilter(BEGIN, START + DAY, **what)
    expected, seen, before = [one.hold.request_id for one in meant(settled, wanted)], [], None
    for number in range(200):
        found = await listing.list_usage(wanted, 5, before)
        seen += [one.id for one in found]
        if len(found) < 5:
            break
        before = found[-1].id
        await books.settle("w1", [used(5_000 + number, START, dice)])
        await sum_up(database, BEGIN + number * 5 * HOUR)
    assert seen == expected


async def test_a_file_has_what_the_pages_have(
    database: Database, settled: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_views, "ROWS_IN_CSV_PAGE", 10)
    listing, wanted = SqlUsageListing(database), UsageFilter(BEGIN, START, organization_id="acme")
    pieces = [piece async for piece in csv_pages(listing, wanted, None)]
    lines = list(csv.DictReader(StringIO("".join(pieces), newline="")))
    expected = [one async for one in pages(listing, wanted, 33)]
    assert len(pieces) > 5
    assert [line["id"] for line in lines] == [one.id for one in expected]
    (whole,) = await listing.sum_usage(wanted, (), 1, 0)
    assert sum(int(line["cost_microdollars"]) for line in lines) == whole.cost_microdollars
    for by in GROUPINGS:
        groups = await listing.sum_usage(wanted, by, 1_000, 0)
        assert sum(one.cost_microdollars for one in groups) == whole.cost_microdollars
        assert sum(one.requests for one in groups) == whole.requests == len(lines)
    after = [piece async for piece in csv_pages(listing, wanted, expected[20].id)]
    assert "".join(after).count("\r\n") == len(expected) - 21 + 1
    monkeypatch.setattr(usage_views, "ROWS_IN_CSV_MAX", 25)
    assert "".join([piece async for piece in csv_pages(listing, wanted, None)]).count("\r\n") == 26


async def test_a_file_of_nothing_has_its_line_of_names(database: Database) -> None:
    found = [piece async for piece in csv_pages(SqlUsageListing(database), UsageFilter(BEGIN, START), None)]
    assert [piece.count("\r\n") for piece in found] == [1]


async def test_settling_what_is_new_asks_for_no_mark(database: Database, clock: Clock, dice: Random) -> None:
    """Nearly all requests are, and they must not pay for the sums."""
    books, seen = SqlBooks(database, clock), Counter[str]()

    @event.listens_for(database._writer.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen["mark"] += "deployment" in statement

    await books.settle("w1", [used(1, START - timedelta(minutes=59), dice)])
    assert seen["mark"] == 0
    await books.settle("w1", [used(2, START - timedelta(minutes=61), dice)])
    assert seen["mark"] == 1


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_postgres_finds_each_view_through_its_index(
    database: Database, settled: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an index cannot give is read as a whole; with that made dear the planner says whether it can."""
    await sum_up(database, START)
    listing, seen = SqlUsageListing(database), []

    @event.listens_for(database._writer.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        seen.append((statement, values))

    def plans(connection: Connection) -> str:
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        found = [
            line[0]
            for statement, values in list(seen)
            if statement.startswith("SELECT") and " usage" in statement
            for line in connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        ]
        return "\n".join(found)

    async def plan_of(view: Awaitable[object]) -> str:
        seen.clear()
        await view
        return await database.read(plans)

    acme, ann = {"organization_id": "acme"}, {"user_id": "ann", "is_personal": True}
    page = await plan_of(listing.list_usage(UsageFilter(BEGIN, START, **acme), 5, None))
    assert "Index Scan Backward using ix_usage_organization_id_id on usage" in page
    assert "Sort" not in page
    assert "using ix_usage_user_id_id on usage" in await plan_of(
        listing.list_usage(UsageFilter(BEGIN, START, **ann), 5, None)
    )
    rare = await plan_of(listing.list_usage(UsageFilter(BEGIN, START, **acme, model="m/rare"), 5, None))
    assert "using ix_usage_days_organization_id_model_day" in rare
    sums = {
        (Grouping.DAY,): "using pk_usage_model_days",
        (Grouping.MEMBER,): "using pk_usage_key_days",
        (Grouping.MEMBER, Grouping.MODEL): "using ix_usage_days_organization_id",
    }
    for by, index in sums.items():
        assert index in await plan_of(listing.sum_usage(UsageFilter(BEGIN, START, **acme), by, 5, 0))
