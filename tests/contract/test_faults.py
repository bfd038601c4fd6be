"""Crashes, lost acknowledgements, contention and a database that is not there (guarantees I2, I5, G)."""

import asyncio
import signal
import sqlite3
import threading
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import Connection, text

from contract.processes import start
from contract.scenario import ANN, Clock, a_hold, order, outcome, top_up
from tollway.billing.ledger import Receipt
from tollway.billing.store import StoreUnavailableError
from tollway.storage.sql import settlement
from tollway.storage.sql.database import RETRIES_MAX, Database, open_database
from tollway.storage.sql.funds import SqlFunds


class CommitFault:
    """Lets `times` commits happen, or fail, and then tells the program that the connection was lost."""

    def __init__(self, database: Database, times: int, *, committed: bool) -> None:
        self.dialect = database._writer.engine.dialect
        self.real = self.dialect.do_commit
        self.left, self.committed = times, committed

    def __call__(self, connection: object) -> None:
        if self.left == 0:
            return self.real(connection)
        self.left -= 1
        if self.committed:
            self.real(connection)
        raise _lost(self.dialect.name)


def _lost(dialect: str) -> Exception:
    if dialect == "postgresql":
        return psycopg.OperationalError("the connection is lost")
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


@pytest.mark.parametrize("committed", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("times", [1, RETRIES_MAX])
async def test_a_lost_commit_acknowledgement_cannot_double(
    database: Database, funds: SqlFunds, monkeypatch: pytest.MonkeyPatch, times: int, committed: bool
) -> None:
    await top_up(database, ANN, 1000)
    hold = a_hold("r1", 400)
    steps: list[tuple[Callable, object]] = [
        (lambda: funds.hold(order("r1", 400)), hold),
        (lambda: funds.close(outcome(hold, 150)), Receipt("r1", 150, 850, repeated=committed)),
        (lambda: funds.release(hold), None),
    ]
    for step, expected in steps:
        fault = CommitFault(database, times, committed=committed)
        monkeypatch.setattr(fault.dialect, "do_commit", fault)
        assert await step() == expected
        monkeypatch.setattr(fault.dialect, "do_commit", fault.real)
    assert await funds.balance(ANN) == 850


async def test_after_six_lost_commits_the_store_is_unavailable(
    database: Database, funds: SqlFunds, monkeypatch: pytest.MonkeyPatch
) -> None:
    await top_up(database, ANN, 1000)
    fault = CommitFault(database, RETRIES_MAX + 1, committed=False)
    monkeypatch.setattr(fault.dialect, "do_commit", fault)
    with pytest.raises(StoreUnavailableError):
        await funds.hold(order("r1", 400))
    assert await funds.balance(ANN) == 1000


async def test_a_process_killed_between_statements_leaves_nothing(
    database: Database, funds: SqlFunds, url: str
) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    process = start(url, "die", "p0", 1, 1, 2)
    process.communicate("go\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert await funds.balance(ANN) == 600  # still on hold
    assert await funds.close(outcome(hold, 150)) == Receipt("r1", 150, 850, repeated=False)


@pytest.mark.parametrize("step", ["write", "post"])
async def test_an_error_between_statements_leaves_nothing(
    database: Database, funds: SqlFunds, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(settlement, step, fail)
    with pytest.raises(ZeroDivisionError):
        await funds.close(outcome(hold, 150))
    monkeypatch.undo()
    assert await funds.balance(ANN) == 600
    await funds.release(hold)


async def test_a_slow_statement_makes_the_store_unavailable(url: str) -> None:
    """Someone else holds the rows (PostgreSQL) or the write lock (SQLite) for longer than we wait."""
    blocking = open_database(url, pool_size=1)
    waiting = open_database(url, pool_size=1, statement_timeout_s=0.05)
    funds = SqlFunds(waiting, Clock())
    await top_up(blocking, ANN, 1000)
    taken, done = threading.Event(), threading.Event()

    def block(connection: Connection) -> None:
        connection.execute(text("UPDATE budgets SET held_microdollars = held_microdollars"))
        taken.set()
        done.wait(30)

    blocker = asyncio.create_task(blocking.write(block))
    await asyncio.to_thread(taken.wait, 30)
    with pytest.raises(StoreUnavailableError):
        await funds.hold(order("r1", 400))
    done.set()
    await blocker
    await blocking.close()
    await waiting.close()


async def test_a_database_without_a_free_connection_is_unavailable(url: str) -> None:
    database = open_database(url, pool_size=1, pool_wait_s=0.01)
    taken, done = threading.Event(), threading.Event()

    def block(_: Connection) -> None:
        taken.set()
        done.wait(30)

    blocker = asyncio.create_task(database.write(block))
    await asyncio.to_thread(taken.wait, 30)
    with pytest.raises(StoreUnavailableError, match="no database connection was free"):
        await SqlFunds(database).balance(ANN)
    done.set()
    await blocker
    assert await SqlFunds(database).balance(ANN) == 0
    await database.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await SqlFunds(database).balance(ANN)
