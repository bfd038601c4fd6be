"""Database URLs to SQLAlchemy engines, with the settings that the promises about money rest on.

SQLite: WAL, `synchronous=FULL` (NORMAL may forget commits at a power cut), foreign keys on, `BEGIN IMMEDIATE` for
writers, because a read that turns into a write fails with a busy error that waiting does not cure (guarantees §18).
PostgreSQL: every statement is bounded; UTC.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

STATEMENT_TIMEOUT_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 3  # whole seconds, as libpq wants it
_RECYCLE_S: Final = 1800


def parse_url(url: str) -> URL:
    """`sqlite:///./var/tollway.db` or `postgresql://…` with the driver we use. Raises ValueError for anything else."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("the database URL cannot be read") from None  # its text may hold a password
    match parsed.get_backend_name():
        case "sqlite" if parsed.database not in (None, "", ":memory:"):
            return parsed.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise ValueError("the database URL must name a file: sqlite:///path/to/file.db")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "postgres":
            raise ValueError("the database URL starts with postgresql://")
        case other:
            raise ValueError(f"the database URL starts with sqlite:/// or postgresql://, not {other}")


def writing_engine(url: URL, *, connections: int, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> Engine:
    """An engine whose transactions may write. On SQLite they start with the write lock; give it one connection."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, connections, statement_timeout_s, begin="BEGIN IMMEDIATE", read_only=False)
    return _postgres(url, connections, statement_timeout_s)


def reading_engine(url: URL, *, connections: int, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> Engine:
    """An engine whose transactions only read, each from one snapshot. For SQLite; PostgreSQL shares the writing one."""
    return _sqlite(url, connections, statement_timeout_s, begin="BEGIN", read_only=True)


def single_use_engine(url: URL, *, statement_timeout_s: float) -> Engine:
    """One connection per use and none kept: for migrations. A time-out of 0 waits for ever on PostgreSQL."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, 0, statement_timeout_s, begin="BEGIN IMMEDIATE", read_only=False)
    return _postgres(url, 0, statement_timeout_s)


def _pool(connections: int) -> dict[str, Any]:
    if not connections:
        return {"poolclass": NullPool}
    return {"poolclass": QueuePool, "pool_size": connections, "max_overflow": 0, "pool_use_lifo": True}


def _postgres(url: URL, connections: int, statement_timeout_s: float) -> Engine:
    timeout_ms = int(statement_timeout_s * 1000)
    options = f"-c statement_timeout={timeout_ms} -c timezone=UTC"
    arguments = {"options": options, "connect_timeout": CONNECT_TIMEOUT_S, "application_name": "tollway"}
    recycle = {"pool_recycle": _RECYCLE_S} if connections else {}
    return create_engine(url, connect_args=arguments, hide_parameters=True, **recycle, **_pool(connections))


def _sqlite(url: URL, connections: int, busy_timeout_s: float, *, begin: str, read_only: bool) -> Engine:
    # isolation_level None: the driver starts no transactions of its own, so that we choose how they start.
    arguments = {"check_same_thread": False, "isolation_level": None, "timeout": busy_timeout_s}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, **_pool(connections))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The switch to WAL does not wait for another connection that looks at the file: it fails (guarantees §18).
        with _one_at_a_time(str(url.database)):
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def _one_at_a_time(path: str) -> Iterator[None]:
    """Among all processes that open this database file.

    The lock is on a file beside it: closing any descriptor of the database file itself would drop the locks that
    SQLite's connections of this process hold on it, and another process could then delete the log they write to.
    """
    with Path(f"{path}.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def create_sqlite_file(url: URL) -> None:
    """Create the database file and its folder, readable by their owner only; an existing file is not even opened
    (see `_one_at_a_time`)."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
