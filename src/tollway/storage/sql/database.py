"""Database: runs transactions off the event loop, bounded, retried, and whole whatever happens to the caller.

A transaction is a plain function over a SQLAlchemy connection and runs in one thread hop. So it cannot wait for an
upstream or a client while it holds a connection (guarantees I4), and a cancelled caller never leaves a connection in
the middle of an exchange (A4): the function runs to its end in its thread, and only then is the connection reused.
It may run several times (I5): draw ids and read the clock before it, and make it idempotent under those ids.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.store import StoreUnavailableError
from tollway.clock import monotonic
from tollway.ids import jitter
from tollway.storage.sql.engine import (
    STATEMENT_TIMEOUT_S,
    create_sqlite_file,
    parse_url,
    reading_engine,
    writing_engine,
)
from tollway.storage.sql.failures import Failure, classify
from tollway.storage.sql.lane import SHARED_COMMIT_MAX, Lane

T = TypeVar("T")

RETRIES_MAX: Final = 5
RETRY_SECONDS_MAX: Final = 5.0  # no further attempt starts later than this
POOL_SIZE: Final = 5
POOL_WAIT_S: Final = 1.0


class Database:
    """One database of a process and event loop. Methods raise StoreUnavailableError when it does not answer in time."""

    def __init__(self, writer: Lane, reader: Lane) -> None:
        self._writer = writer
        self._reader = reader
        self.dialect = writer.engine.dialect.name  # "sqlite" or "postgresql"

    async def write(self, work: Callable[[Connection], T], *, is_patient: bool = False) -> T:
        """Run `work` in a transaction that may write. It is run again, up to 5 times, after a serialization failure,
        a deadlock, a busy database or a lost connection, the one lost at COMMIT included. `is_patient`: it is about
        settlement or revocation, which overload must not shed (guarantees O4), and no request waits for it."""
        return await _retried(self._writer, work, is_patient)

    async def read(self, work: Callable[[Connection], T], *, is_patient: bool = False) -> T:
        """Run `work`, which only reads."""
        return await _retried(self._reader, work, is_patient)

    async def read_snapshot(self, work: Callable[[Connection], T], *, statement_s: int | None = None) -> T:
        """Run `work`, whose several queries must all see the same instant. `statement_s`: how long one of them may take
        on PostgreSQL, if that is not what all may."""
        if self.dialect == "sqlite":
            return await self.read(work)

        def isolated(connection: Connection) -> T:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            if statement_s is not None:
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{statement_s}s'")
            return work(connection)

        return await self.read(isolated)

    async def close(self) -> None:
        """Wait for running transactions, then let go of every connection."""
        await self._writer.close()
        if self._reader is not self._writer:
            await self._reader.close()


async def _retried(lane: Lane, work: Callable[[Connection], T], is_patient: bool) -> T:
    started = monotonic()
    for attempt in range(RETRIES_MAX + 1):
        try:
            return await lane.run(work, is_patient=is_patient)
        except SQLAlchemyError as error:
            failure = classify(error)
            if failure is Failure.BUG:
                raise
            last = attempt == RETRIES_MAX or monotonic() - started > RETRY_SECONDS_MAX
            if failure is Failure.UNAVAILABLE or last:
                raise StoreUnavailableError(f"the database did not answer ({type(error).__name__})") from error
        await asyncio.sleep(jitter(0.0, 0.005 * 2**attempt))
    raise AssertionError("the last attempt returned or raised")


def open_database(
    url: str,
    *,
    pool_size: int = POOL_SIZE,
    pool_wait_s: float = POOL_WAIT_S,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Database:
    """A database for the running event loop. Nothing is contacted yet; a SQLite file and its folder are created.

    `pool_size` counts connections: on SQLite one of them writes and the others read; with 1 it does both. One of them
    is waited for `pool_wait_s` seconds.
    Raises ValueError for a URL we cannot use.
    """
    parsed = parse_url(url)
    create_sqlite_file(parsed)
    if parsed.get_backend_name() != "sqlite":
        engine = writing_engine(parsed, connections=pool_size, statement_timeout_s=statement_timeout_s)
        lane = Lane("sql", engine, pool_size, wait_s=pool_wait_s)
        return Database(lane, lane)
    engine = writing_engine(parsed, connections=1, statement_timeout_s=statement_timeout_s)
    writer = Lane("sql-write", engine, 1, wait_s=pool_wait_s, shared=SHARED_COMMIT_MAX)
    if pool_size == 1:
        return Database(writer, writer)
    engine = reading_engine(parsed, connections=pool_size - 1, statement_timeout_s=statement_timeout_s)
    return Database(writer, Lane("sql-read", engine, pool_size - 1, wait_s=pool_wait_s))
