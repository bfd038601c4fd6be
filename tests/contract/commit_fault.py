"""The acknowledgement of a commit that gets lost."""

import sqlite3
from collections.abc import Callable

import psycopg

from tollway.storage.sql.database import Database


class CommitFault:
    """Lets `times` commits happen, or fail, and then tells the program that the connection was lost; `meanwhile` runs
    before it is told."""

    def __init__(
        self, database: Database, times: int, *, committed: bool, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.dialect = database._writer.engine.dialect
        self.real = self.dialect.do_commit
        self.left, self.committed, self.meanwhile = times, committed, meanwhile

    def __call__(self, connection: object) -> None:
        if self.left == 0:
            return self.real(connection)
        self.left -= 1
        if self.committed:
            self.real(connection)
        self.meanwhile()
        raise _lost(self.dialect.name)

    def __enter__(self) -> "CommitFault":
        self.dialect.do_commit = self
        return self

    def __exit__(self, *_: object) -> None:
        self.dialect.do_commit = self.real


def _lost(dialect: str) -> Exception:
    if dialect == "postgresql":
        return psycopg.OperationalError("the connection is lost")
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error
