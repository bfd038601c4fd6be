"""Bulk: many rows into one table at a price per row that a request can afford.

The values come in the database's own form, because SQLAlchemy takes longer to look at a row than the database to store
it, and all in one list, because Python's garbage collector looks at every row that is a tuple. PostgreSQL gets them by
COPY in its binary form; SQLite many per statement, so that its thread gives up Python's lock less often.
Source: bench/settlement.py.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

ROWS_PER_STATEMENT: Final = (250, 25)  # on SQLite, whose statements take 32,766 values at most
_POSTGRES: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


class Bulk:
    """Inserts rows of `columns`, names of columns of `table`; the others keep their defaults."""

    def __init__(self, table: Table, *columns: str) -> None:
        target = f"{table.name} ({', '.join(columns)})"
        row = f"({', '.join('?' * len(columns))})"
        self._width = len(columns)
        self._one = f"INSERT INTO {target} VALUES {row}"  # noqa: S608  (names from the schema)
        self._many = [(rows, ", ".join([self._one, *[row] * (rows - 1)])) for rows in ROWS_PER_STATEMENT]
        self._copy = f"COPY {target} FROM STDIN (FORMAT BINARY)"
        self._types = [table.c[name].type.compile(_POSTGRES).lower() for name in columns]

    def insert(self, connection: Connection, values: Sequence[Any]) -> None:
        """`values`: those of the first row, then those of the second, … Raises what SQLAlchemy raises for an insert."""
        if not values:
            return
        if connection.dialect.name == "postgresql":
            self._insert_by_copy(connection, values)
            return
        start = 0
        for rows, statement in self._many:
            step = rows * self._width
            while start + step <= len(values):
                connection.exec_driver_sql(statement, tuple(values[start : start + step]))
                start += step
        if start < len(values):
            connection.exec_driver_sql(self._one, [tuple(row) for row in self._rows(values[start:])])

    def _insert_by_copy(self, connection: Connection, values: Sequence[Any]) -> None:
        driver: Any = connection.connection.dbapi_connection
        try:
            with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
                copy.set_types(self._types)
                for row in self._rows(values):
                    copy.write_row(row)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _wrapped(connection, error, self._copy) from error

    def _rows(self, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        return (values[start : start + self._width] for start in range(0, len(values), self._width))


def _wrapped(connection: Connection, error: Any, statement: str) -> BaseException:
    """The driver's error as SQLAlchemy would have raised it, had it seen it. A lost connection it notices by itself,
    when it rolls back."""
    dialect = connection.dialect
    wrapped: BaseException = DBAPIError.instance(
        statement, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
    )
    return wrapped
