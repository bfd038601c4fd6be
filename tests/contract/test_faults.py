"""Crashes, lost acknowledgements, contention and a database that is not there (guarantees I2, I5, G)."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
from sqlalchemy import Connection, text

from contract.commit_fault import CommitFault
from contract.processes import start
from contract.scenario import ANN, Clock, a_hold, order, outcome, top_up
from tollway.billing.ledger import Basis, Correction
from tollway.billing.store import Leased, Recalled, Roll, StoreUnavailableError
from tollway.storage.sql import leases, settlement
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import RETRIES_MAX, Database, open_database
from tollway.storage.sql.identity import SqlIdentity


@pytest.mark.parametrize("committed", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("times", [1, RETRIES_MAX])
async def test_a_lost_commit_acknowledgement_cannot_double(
    database: Database, books: SqlBooks, times: int, committed: bool
) -> None:
    await top_up(database, ANN, 1000)
    estimate = outcome(a_hold("r1", 400), 150, basis=Basis.ESTIMATED)
    steps: list[tuple[Callable, object, int]] = [  # with the balance afterwards
        (lambda: books.enlist("w3", "node"), None, 1000),
        (lambda: books.lease(order("r1", 400)), Leased((400,), (0,)), 600),
        (lambda: books.lease(order("r2", 100, sharers=1)), Leased((100,), (200,)), 300),
        (lambda: books.lease(order("r3", 100, free=200, sharers=1)), Leased((100,), (150,)), 250),
        (lambda: books.lease(order("r4", 300, worker="w2")), Recalled(ANN), 250),
        (lambda: books.report("w1"), Roll(3, (ANN.id,)), 250),
        (lambda: books.give_back("w1", {ANN.id: 150}), None, 400),
        (lambda: books.lease(order("r4", 500, worker="w2", last=True)), Leased((400,), (0,)), 0),
        (lambda: books.settle("w1", [estimate]), ("r1",) if committed else (), 0),
        (lambda: books.give_back("w1", {ANN.id: 250}), None, 250),
        (lambda: books.give_back("w2", {ANN.id: 400}, ["r4"]), None, 650),
        (lambda: books.note_lookup_failed("r1"), None, 650),
        (lambda: books.correct("r1", Correction(-50, 0)), not committed, 700),
        (lambda: books.retire("w1"), None, 900),
    ]
    for step, expected, balance in steps:
        with CommitFault(database, times, committed=committed):
            assert await step() == expected
        assert await books.balance(ANN) == balance


async def test_other_changes_may_come_between_a_commit_and_its_repetition(
    database: Database, connect: Callable[..., Database], books: SqlBooks
) -> None:
    """The same worker goes on with the same budget while one of its changes waits to be tried again."""
    await top_up(database, ANN, 1000)
    assert await books.lease(order("r0", 10, sharers=1)) == Leased((10,), (490,))
    elsewhere = connect()._writer.engine

    def meanwhile() -> None:
        with elsewhere.begin() as connection:
            leases.lease(connection, order("other", 1), Clock().now)
            leases.give_back(connection, "w1", {ANN.id: 3}, (), Clock().now)

    with CommitFault(database, 2, committed=True, meanwhile=meanwhile):
        assert await books.lease(order("r1", 100)) == Leased((100,), (0,))
    assert await books.balance(ANN) == 500 - 100 + 2 * 2
    with CommitFault(database, 2, committed=True, meanwhile=meanwhile):
        await books.give_back("w1", {ANN.id: 40})
    assert await books.balance(ANN) == 404 + 40 + 2 * 2


async def test_after_six_lost_commits_the_store_is_unavailable(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    with CommitFault(database, RETRIES_MAX + 1, committed=False), pytest.raises(StoreUnavailableError):
        await books.lease(order("r1", 400))
    assert await books.balance(ANN) == 1000


async def test_a_worker_that_was_left_in_doubt_gives_back_whatever_there_is(
    database: Database, books: SqlBooks
) -> None:
    """It does not know whether its lease was committed; once its slice is otherwise unused, that no longer matters."""
    await top_up(database, ANN, 1000)
    with CommitFault(database, RETRIES_MAX + 1, committed=True), pytest.raises(StoreUnavailableError):
        await books.lease(order("r1", 1400))
    assert await books.balance(ANN) == 0
    await books.give_back("w1", {ANN.id: 2**63 - 1}, ["r1"])
    assert await books.balance(ANN) == 1000
    assert await books.lease(order("r2", 1400)) == Leased((1000,), (0,))
    await books.retire("w1")


async def test_a_process_killed_between_statements_leaves_nothing(
    database: Database, books: SqlBooks, url: str
) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    process = start(url, "die", "p0", 1, 1, 2)
    process.communicate("go\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert await books.balance(ANN) == 600  # still leased
    assert await books.settle("w1", [outcome(a_hold("r1", 400), 150)]) == ()


@pytest.mark.parametrize("step", ["USAGE", "METADATA", "ENTRIES", "budgets.move"])
async def test_an_error_between_statements_leaves_nothing(
    database: Database, books: SqlBooks, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    target = settlement.budgets if step == "budgets.move" else getattr(settlement, step)
    monkeypatch.setattr(target, "move" if step == "budgets.move" else "insert", fail)
    with pytest.raises(ZeroDivisionError):
        await books.settle("w1", [outcome(a_hold("r1", 400), 150)])
    monkeypatch.undo()
    assert await books.balance(ANN) == 600
    assert await books.settle("w1", [outcome(a_hold("r1", 400), 150)]) == ()


async def test_a_connection_lost_in_the_middle_of_the_rows_is_replaced(
    connect: Callable[..., Database], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Rows go to PostgreSQL by COPY, past SQLAlchemy; a connection that breaks there is noticed all the same."""
    database = connect(1)
    books = SqlBooks(database, Clock())
    if database.dialect == "sqlite":
        return  # it has no connection to lose
    await top_up(database, ANN, 1000)
    real, lost = settlement.METADATA.insert, []

    def insert(connection: Connection, values: list) -> None:
        if not lost:
            lost.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 30000)", lost)
        real(connection, values)

    monkeypatch.setattr(settlement.METADATA, "insert", insert)
    assert await books.settle("w1", [outcome(a_hold("r1", 0), 150)]) == ()
    assert lost
    assert await books.balance(ANN) == 850


@asynccontextmanager
async def occupied(database: Database, statement: str = "SELECT 1") -> AsyncIterator[None]:
    """While a transaction that has done `statement` goes on."""
    taken, done = threading.Event(), threading.Event()

    def block(connection: Connection) -> None:
        connection.execute(text(statement))
        taken.set()
        done.wait(30)

    blocker = asyncio.create_task(database.write(block))
    await asyncio.to_thread(taken.wait, 30)
    try:
        yield
    finally:
        done.set()
        await blocker


async def test_a_slow_statement_makes_the_store_unavailable(url: str) -> None:
    """Someone else holds the rows (PostgreSQL) or the write lock (SQLite) for longer than we wait."""
    blocking = open_database(url, pool_size=1)
    waiting = open_database(url, pool_size=1, statement_timeout_s=0.05)
    books = SqlBooks(waiting, Clock())
    await top_up(blocking, ANN, 1000)
    await SqlBooks(blocking).enlist("w1", "node")
    async with occupied(blocking, "UPDATE budgets SET held_microdollars = held_microdollars"):
        for step in (books.lease(order("r1", 400)), books.settle("w1", [outcome(a_hold("r1", 0), 5)])):
            with pytest.raises(StoreUnavailableError):
                await step
    await blocking.close()
    await waiting.close()


async def test_a_database_without_a_free_connection_is_unavailable(url: str) -> None:
    database = open_database(url, pool_size=1, pool_wait_s=0.01)
    async with occupied(database):
        with pytest.raises(StoreUnavailableError, match=r"no database connection was free within 0\.01 s"):
            await SqlBooks(database).balance(ANN)
        with pytest.raises(StoreUnavailableError, match="no database connection was free"):
            await SqlIdentity(database).user(ANN.id)
        with pytest.raises(StoreUnavailableError, match="no database connection was free"):
            await SqlBooks(database).lease(order("r1", 400))
    assert await SqlBooks(database).balance(ANN) == 0
    await database.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await SqlBooks(database).balance(ANN)


async def test_settlement_and_revocation_wait_longer_for_a_connection_than_requests(url: str) -> None:
    """Overload sheds requests first (guarantees O4)."""
    database = open_database(url, pool_size=1, pool_wait_s=0.01)
    books, identity = SqlBooks(database), SqlIdentity(database)
    await top_up(database, ANN, 1000)
    await books.enlist("w1", "node")
    async with occupied(database):
        settling = asyncio.create_task(books.settle("w1", [outcome(a_hold("r1", 0), 5)]))
        looking = asyncio.create_task(identity.revision())
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                await books.balance(ANN)
        assert not settling.done()
        assert not looking.done()
    assert await settling == ()
    assert isinstance(await looking, int)
    await database.close()
