"""First-usage events: once per user and kind, whoever books, however often; given up when nobody takes them."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, text

from contract.first_usages import TRIES_MAX, Uptake
from tollway.storage.sql.database import Database
from tollway.storage.sql.first_usages import BooksWithFirstUsages
from tollway.storage.sql.observation_tables import analytics_events
from tollway.storage.sql.tables import usage, users

MINUTE = timedelta(minutes=1)


async def rows(database: Database) -> list[tuple[Any, ...]]:
    columns = analytics_events.c
    query = select(columns.user_id, columns.event, columns.request_id, columns.tries, columns.due_at)
    query = query.order_by(columns.user_id, columns.event)
    return [tuple(row) for row in await database.read(lambda connection: connection.execute(query).all())]


def names(uptake: Uptake) -> list[tuple[str, str]]:
    return sorted((one["distinct_id"].partition("@")[0], one["event"]) for one in uptake.sent)


async def test_each_event_is_sent_once(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    await uptake.user("bob")
    batch = [uptake.outcome("r1", 10), uptake.outcome("r2", 20), uptake.outcome("r3", 0, user="bob")]
    for _ in range(3):
        await uptake.books.settle("w1", batch)
    await uptake.books.settle("w1", [uptake.outcome("r4", 30, user="bob")])
    assert [row[:3] for row in await rows(database)] == [
        ("ann", "first_microdollar_usage", "r1"),
        ("ann", "first_usage", "r1"),
        ("bob", "first_microdollar_usage", "r4"),
        ("bob", "first_usage", "r3"),
    ]
    assert await uptake.send() == 0  # too soon
    uptake.clock.now += MINUTE
    assert await uptake.send() == 4
    assert names(uptake) == [
        ("ann", "first_microdollar_usage"),
        ("ann", "first_usage"),
        ("bob", "first_microdollar_usage"),
        ("bob", "first_usage"),
    ]
    uptake.clock.now += timedelta(days=30)
    assert await uptake.send() == 0


async def test_two_workers_note_it_once(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    other = BooksWithFirstUsages(database, uptake.clock)
    await asyncio.gather(
        uptake.books.settle("w1", [uptake.outcome("r1", 10)]), other.settle("w2", [uptake.outcome("r2", 10)])
    )
    assert [row[1] for row in await rows(database)] == ["first_microdollar_usage", "first_usage"]


async def test_who_had_used_it_before_events_were_on_has_no_first_time(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    before = super(BooksWithFirstUsages, uptake.books)
    await before.settle("w1", [uptake.outcome("r1", 0, "acme")])
    await uptake.books.settle("w1", [uptake.outcome("r2", 5)])
    uptake.clock.now += MINUTE
    await uptake.send()
    assert [one["event"] for one in uptake.sent] == ["first_microdollar_usage"]
    assert uptake.sent[0]["properties"]["has_prior_free_usage"] is True
    assert uptake.sent[0]["properties"]["has_payment_method"] is False


async def test_earlier_usage_is_found_among_that_of_others(database: Database) -> None:
    uptake = Uptake(database)
    for name in ("ann", "bob", "cat"):
        await uptake.user(name)
    before = super(BooksWithFirstUsages, uptake.books)
    await before.settle("w1", [uptake.outcome(f"r{number}", 0, user="cat") for number in range(7)])
    await before.settle("w1", [uptake.outcome("r5b", 0, user="ann")])
    batch = [uptake.outcome("r8", 0), uptake.outcome("r9", 0, user="bob"), uptake.outcome("r7", 0, user="cat")]
    await uptake.books.settle("w1", batch)
    uptake.clock.now += MINUTE
    await uptake.send()
    assert names(uptake) == [("bob", "first_usage")]


async def test_a_sink_that_is_away_is_tried_a_few_times(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    await uptake.books.settle("w1", [uptake.outcome("r1", 0)])
    uptake.failure = "status 503"
    tried = []
    for _ in range(20):
        uptake.clock.now += MINUTE
        await uptake.send()
        tried.append((await rows(database))[0][3])
    assert tried[:8] == [1, 2, 2, 3, 3, 3, 3, 3]  # after one minute, then after two
    assert max(tried) == TRIES_MAX
    uptake.failure = None
    uptake.clock.now += timedelta(days=1)
    assert await uptake.send() == 0
    assert (await rows(database))[0][4] is None


async def test_one_that_is_tried_again_arrives(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    await uptake.books.settle("w1", [uptake.outcome("r1", 0)])
    uptake.failure = "connect"
    uptake.clock.now += MINUTE
    await uptake.send()
    uptake.failure = None
    uptake.clock.now += MINUTE
    assert await uptake.send() == 1


async def test_who_is_gone_is_not_told_of(database: Database) -> None:
    """Nor keeps anybody's money from being booked."""
    uptake = Uptake(database)
    await uptake.user("ann")
    await uptake.books.settle("w1", [uptake.outcome("r1", 5)])
    await database.write(lambda connection: connection.execute(delete(users).where(users.c.id == "ann")))
    assert await rows(database) == []
    await uptake.books.settle("w1", [uptake.outcome("r2", 5)])
    assert (await rows(database), uptake.lost) == ([], 0)


async def test_money_does_not_wait_for_events(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    await database.write(lambda connection: connection.execute(text("DROP TABLE analytics_events")))
    await uptake.books.settle("w1", [uptake.outcome("r1", 5)])
    found = await database.read(lambda connection: connection.execute(select(usage.c.id)).scalars().all())
    assert (found, uptake.lost) == (["r1"], 1)


async def test_who_has_spent_is_not_asked_about_again(database: Database) -> None:
    uptake = Uptake(database)
    await uptake.user("ann")
    await uptake.books.settle("w1", [uptake.outcome("r1", 5)])
    await uptake.books.settle("w1", [uptake.outcome("r2", 5)])
    await database.write(lambda connection: connection.execute(delete(analytics_events)))
    nothing_spent = text("UPDATE budgets SET spent_microdollars = 0 WHERE id = 'user:ann'")
    await database.write(lambda connection: connection.execute(nothing_spent))
    await uptake.books.settle("w1", [uptake.outcome("r3", 5)])
    assert await rows(database) == []
    everything = text("UPDATE budgets SET spent_microdollars = 15 WHERE id = 'user:ann'")
    await database.write(lambda connection: connection.execute(everything))
