"""Bulk: many rows into one table at a price per row that a request can afford.

The values come in the database's own form, because SQLAlchemy takes longer to look at a row than the database to store
it. PostgreSQL gets them by COPY in its binary form; SQLite many per statement, so that its thread gives up Python's
lock less often. Source: measurements of one batch of 500 settlements.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

ROWS_PER_STATEMENT: Final = 100  # on SQLite, whose statements take 32,766 values at most
_POSTGRES: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


class Bulk:
    """Inserts rows of `columns`, names of columns of `table`; the others keep their defaults."""

    def __init__(self, table: Table, *columns: str) -> None:
        target = f"{table.name} ({', '.join(columns)})"
        row = f"({', '.join('?' * len(columns))})"
        self._one = f"INSERT INTO {target} VALUES {row}"  # noqa: S608  (names from the schema)
        self._many = ", ".join([self._one, *[row] * (ROWS_PER_STATEMENT - 1)])
        self._copy = f"COPY {target} FROM STDIN (FORMAT BINARY)"
        self._types = [table.c[name].type.compile(_POSTGRES).lower() for name in columns]

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Raises what SQLAlchemy raises for an insert."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            self._insert_by_copy(connection, rows)
            return
        whole = len(rows) // ROWS_PER_STATEMENT * ROWS_PER_STATEMENT
        for start in range(0, whole, ROWS_PER_STATEMENT):
            values = tuple(chain.from_iterable(rows[start : start + ROWS_PER_STATEMENT]))
            connection.exec_driver_sql(self._many, values)
        if rest := rows[whole:]:
            connection.exec_driver_sql(self._one, list(rest))

    def _insert_by_copy(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        driver: Any = connection.connection.dbapi_connection
        try:
            with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
                copy.set_types(self._types)
                for row in rows:
                    copy.write_row(row)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _wrapped(connection, error, self._copy) from error


def _wrapped(connection: Connection, error: Any, statement: str) -> BaseException:
    """The error of the driver, which SQLAlchemy did not see, as SQLAlchemy would have raised it."""
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if is_lost:
        connection.invalidate(error)
    wrapped: BaseException = DBAPIError.instance(
        statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
    return wrapped
