"""`INSERT … ON CONFLICT DO NOTHING`, which the two databases spell alike and SQLAlchemy does not."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_missing(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert `row` unless a row with the same key is there; whether it was inserted."""
    return connection.execute(_statement(table, connection.dialect.name), dict(row)).rowcount == 1


def insert_all_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for many rows at once; at least one."""
    connection.execute(_statement(table, connection.dialect.name), [dict(row) for row in rows])


@cache
def _statement(table: Table, dialect: str) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
