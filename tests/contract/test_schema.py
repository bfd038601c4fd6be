"""Migrations: complete, repeatable, safe at the same time, all or nothing."""

import asyncio
from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

import tollway.storage.migrations
from contract.processes import run_together
from tollway.storage.migrations import run
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.schema import SCHEMA_HEAD, schema_is_current
from tollway.storage.sql.tables import metadata


async def test_the_migrations_build_the_tables_of_the_program(database: Database) -> None:
    assert await database.read(_differences) == []


async def test_checks_and_triggers_are_there_too(database: Database) -> None:
    """Alembic does not compare these."""

    def names(connection: Connection) -> set[str]:
        found = inspect(connection)
        return {str(check["name"]) for table in metadata.tables for check in found.get_check_constraints(table)}

    declared = {
        f"ck_{table.name}_{constraint.name}".replace(f"ck_{table.name}_ck_{table.name}", f"ck_{table.name}")
        for table in metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert await database.read(names) == declared


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    assert not _is_current(empty_url)
    assert migrate(empty_url) == SCHEMA_HEAD
    assert _is_current(empty_url)
    assert migrate(empty_url) == SCHEMA_HEAD


def test_processes_that_migrate_at_the_same_time_all_succeed(empty_url: str) -> None:
    answers = run_together(empty_url, "migrate", 3)
    assert [answer["revision"] for answer in answers] == [SCHEMA_HEAD] * 3


def test_a_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = run.command.upgrade

    def fail_late(*arguments: object) -> None:
        real(*arguments)
        arguments[0].attributes["connection"].execute(text("SELECT nothing FROM nowhere"))

    monkeypatch.setattr(run.command, "upgrade", fail_late)
    with pytest.raises(DBAPIError):
        migrate(empty_url)
    database = open_database(empty_url)
    assert asyncio.run(database.read(lambda connection: inspect(connection).get_table_names())) == []
    asyncio.run(database.close())


def test_a_newer_schema_is_not_current(connect: Callable[..., Database]) -> None:
    database = connect()
    statement = text("UPDATE alembic_version SET version_num = '9999_later'")
    asyncio.run(database.write(lambda connection: connection.execute(statement)))
    assert not asyncio.run(schema_is_current(database))


def test_the_program_expects_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", tollway.storage.migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_HEAD


def _is_current(url: str) -> bool:
    database = open_database(url)
    try:
        return asyncio.run(schema_is_current(database))
    finally:
        asyncio.run(database.close())


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return compare_metadata(context, metadata)
