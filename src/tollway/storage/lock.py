"""A lock that one process of a deployment holds: for work that must happen once, not once per worker.

On SQLite it is a lock on a file beside the database, on PostgreSQL an advisory lock of a connection kept for it. Either
goes with its process, however that ends. Whoever has it keeps it, so that the work does not wander.
"""

import asyncio
import fcntl
from pathlib import Path
from typing import IO, Final, Protocol
from zlib import crc32

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.store import StoreUnavailableError
from tollway.storage.sql.engine import STATEMENT_TIMEOUT_S, parse_url, single_use_engine

_OURS: Final = 0x746F6C6C << 32  # "toll"; the rest is made of the lock's name
_TRY: Final = text("SELECT pg_try_advisory_lock(:id)")
_ALIVE: Final = text("SELECT 1")


class DeploymentLock(Protocol):
    """`hold` is called again and again; it does not wait."""

    async def hold(self) -> bool:
        """Whether this process has the lock, now or still. Raises StoreUnavailableError."""
        ...

    async def release(self) -> None:
        """Let others have it."""
        ...


class FileLock:
    """Of the processes on one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    async def hold(self) -> bool:
        if self._file:
            return True
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise StoreUnavailableError(f"{self._path.name} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    async def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


class AdvisoryLock:
    """Of all processes that use one database. Calls must not overlap."""

    def __init__(self, url: str, name: str) -> None:
        self._engine = single_use_engine(parse_url(url), statement_timeout_s=STATEMENT_TIMEOUT_S)
        self._id = _OURS | crc32(name.encode())
        self._connection: Connection | None = None

    async def hold(self) -> bool:
        return await asyncio.to_thread(self._hold)

    async def release(self) -> None:
        await asyncio.to_thread(self._let_go)

    def _hold(self) -> bool:
        if self._connection:
            try:
                self._connection.execute(_ALIVE)
            except SQLAlchemyError:  # the lock went with its connection
                self._let_go()
            else:
                return True
        try:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            has_it = bool(self._connection.execute(_TRY, {"id": self._id}).scalar_one())
        except SQLAlchemyError as error:
            self._let_go()
            raise StoreUnavailableError(f"the database did not answer ({type(error).__name__})") from error
        if not has_it:
            self._let_go()
        return has_it

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()  # of an engine that keeps none: the session ends, and the lock with it
        self._engine.dispose()


def open_lock(database_url: str, name: str) -> DeploymentLock:
    """The lock of that name. Nothing is contacted yet. Raises ValueError for a URL we cannot use."""
    url = parse_url(database_url)
    if url.get_backend_name() == "sqlite":
        return FileLock(Path(f"{url.database}.{name}.lock"))
    return AdvisoryLock(database_url, name)
