"""Migrations: complete, repeatable, safe at the same time, all or nothing."""

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import DBAPIError

import tollway.storage.migrations
import tollway.storage.sql.audit_tables
import tollway.storage.sql.endpoint_tables
import tollway.storage.sql.llm_tables
import tollway.storage.sql.snapshot_tables  # all four only for their tables
from contract.processes import run_together
from tollway.admin.master_keys import KnownKey
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.identity.caller import Role
from tollway.identity.store import MembershipRow
from tollway.storage import sql
from tollway.storage.migrations import run
from tollway.storage.migrations.run import migrate
from tollway.storage.sql import accounting_tables  # noqa: F401  (its tables are in the metadata)
from tollway.storage.sql.admin.secrets import SqlSecrets
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.engine import create_sqlite_file, parse_url, single_use_engine
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.observation_tables import api_metrics
from tollway.storage.sql.response_tables import response_phases
from tollway.storage.sql.schema import SCHEMA_HEAD, schema_is_current
from tollway.storage.sql.tables import ledger_entries, metadata
from tollway.storage.sql.transcript_tables import request_log
from tollway.storage.sql.usage import SqlUsage

for tables in sorted(Path(sql.__file__).parent.glob("*_tables.py")):  # whatever else a test process has imported
    import_module(f"{sql.__name__}.{tables.stem}")


async def test_the_migrations_build_the_tables_of_the_program(database: Database) -> None:
    assert api_metrics.name in metadata.tables  # tables of other files are among them
    assert response_phases.metadata is request_log.metadata is metadata
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


def test_the_second_revision_keeps_what_was_booked(empty_url: str) -> None:
    """Open holds are gone, nothing that was charged or credited is."""
    _migrate_to(empty_url, "0001_first_road", BOOKED)
    assert migrate(empty_url) == SCHEMA_HEAD
    database = open_database(empty_url)
    assert asyncio.run(verify_books(database)) == []
    assert asyncio.run(SqlBooks(database).balance(BudgetRef(BudgetKind.USER, "ann"))) == 850
    row = asyncio.run(SqlUsage(database).find("r1"))
    assert row is not None
    assert (row.cost_microdollars, row.worst_case_microdollars, row.lookups, row.route) == (150, 400, None, ())
    entries = select(ledger_entries.c.source_id, ledger_entries.c.kind).order_by(ledger_entries.c.kind)
    found = asyncio.run(database.read(lambda connection: connection.execute(entries).all()))
    assert found == [("r1", "charge"), ("t1", "grant")]
    with pytest.raises(DBAPIError, match="immutable"):
        asyncio.run(database.write(lambda connection: connection.execute(text("DELETE FROM ledger_entries"))))
    asyncio.run(database.close())


def test_the_fifth_revision_keeps_organizations_and_their_members(empty_url: str) -> None:
    _migrate_to(empty_url, "0003_idempotency_keys", IN_ACME)
    assert migrate(empty_url) == SCHEMA_HEAD
    database = open_database(empty_url)
    found = asyncio.run(SqlIdentity(database).membership("acme", "ann"))
    assert found == MembershipRow("acme", "ann", Role.OWNER, None, "enterprise")
    asyncio.run(database.close())


def test_the_sixteenth_revision_finds_the_keys_that_secrets_need(empty_url: str) -> None:
    """Also beside secrets that name none, and (on SQLite) beside text that is damaged."""
    damaged = SEALED_KEY.format("3", "{") if empty_url.startswith("sqlite") else SEALED_KEY.format("3", "{}")
    names = ('{"version": 1, "key_id": "2025-1"}', '{"iv": "AAAA"}')
    rows = tuple(SEALED_KEY.format(number, sealed) for number, sealed in enumerate(names))
    _migrate_to(empty_url, "0014_management", (*IN_ACME, *rows, damaged))
    assert migrate(empty_url) == SCHEMA_HEAD
    database = open_database(empty_url)
    assert asyncio.run(SqlSecrets(database).uses()).known == {"2025-1": KnownKey(None, False)}
    asyncio.run(database.close())


SEALED_KEY = (
    "INSERT INTO byok_keys (id, user_id, provider_id, sealed_key, last_four, created_at, updated_at, created_by)"
    " SELECT '{0}', 'ann', '{0}', '{1}', '', created_at, created_at, 'ann' FROM users"
)

IN_ACME = (
    "INSERT INTO users (id, email, name, created_at, updated_at) SELECT 'ann', 'a@example.com', '', created_at,"
    " created_at FROM ledger_accounts WHERE id = 'system:revenue'",
    "INSERT INTO organizations (id, name, plan, settings, created_at, updated_at) SELECT 'acme', 'Acme', 'enterprise',"
    " '{}', created_at, created_at FROM users",
    "INSERT INTO memberships (id, organization_id, user_id, role, created_at, updated_at) SELECT 'm', 'acme', 'ann',"
    " 'owner', created_at, created_at FROM users",
)

BOOKED = (
    "INSERT INTO ledger_accounts (id, kind, created_at) SELECT 'user:ann', 'user', created_at FROM ledger_accounts"
    " WHERE id = 'system:revenue'",
    "INSERT INTO budgets (id, kind, limit_microdollars, spent_microdollars, held_microdollars, updated_at)"
    " SELECT 'user:ann', 'user', 1000, 150, 99, created_at FROM ledger_accounts WHERE id = 'user:ann'",
    "INSERT INTO holds (request_id, amount_microdollars, budgets, usage_day, expires_at, created_at)"
    """ SELECT 'r2', 99, '["user:ann"]', '2026-03-01', created_at, created_at FROM ledger_accounts"""
    " WHERE id = 'user:ann'",
    "INSERT INTO credit_transactions (id, user_id, amount_microdollars, is_free, created_at)"
    " SELECT 't1', 'ann', 1000, 1 = 1, created_at FROM ledger_accounts WHERE id = 'user:ann'",
    "INSERT INTO ledger_entries (id, request_id, kind, debit_account, credit_account, amount_microdollars, created_at)"
    " SELECT 't1:grant', NULL, 'grant', 'system:grants', id, 1000, created_at FROM ledger_accounts"
    " WHERE id = 'user:ann'",
    "INSERT INTO ledger_entries (id, request_id, kind, debit_account, credit_account, amount_microdollars, created_at)"
    " SELECT 'r1:charge', 'r1', 'charge', id, 'system:revenue', 150, created_at FROM ledger_accounts"
    " WHERE id = 'user:ann'",
    "INSERT INTO usage (id, user_id, provider_id, requested_model, model, upstream_model, prompt_tokens,"
    " completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, basis, cost_microdollars,"
    " absorbed_microdollars, market_cost_microdollars, list_cost_microdollars, hold_microdollars, price_version,"
    " prompt_usd, completion_usd, has_error, usage_day, budgets, created_at)"
    " SELECT 'r1', 'ann', 'p', 'm', 'm', 'm', 1, 2, 0, 0, 0, 'estimated', 150, 0, 150, 150, 400, 'v', '0', '0', 1 = 0,"
    """ '2026-03-01', '["user:ann"]', created_at FROM ledger_accounts WHERE id = 'user:ann'""",
    "INSERT INTO usage_metadata (id, message_id, status_code, streamed, cancelled, attempts, latency_ms, created_at)"
    " SELECT 'r1', 'gen-1', 200, 1 = 1, 1 = 0, 2, 5, created_at FROM ledger_accounts WHERE id = 'user:ann'",
)


def test_a_newer_schema_is_not_current(connect: Callable[..., Database]) -> None:
    database = connect()
    statement = text("UPDATE alembic_version SET version_num = '9999_later'")
    asyncio.run(database.write(lambda connection: connection.execute(statement)))
    assert not asyncio.run(schema_is_current(database))


def test_the_program_expects_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", tollway.storage.migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_HEAD


def _migrate_to(url: str, revision: str, statements: tuple[str, ...]) -> None:
    parsed = parse_url(url)
    create_sqlite_file(parsed)
    engine = single_use_engine(parsed, statement_timeout_s=60.0)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", tollway.storage.migrations.__path__[0])
        command.upgrade(config, revision)
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _is_current(url: str) -> bool:
    database = open_database(url)
    try:
        return asyncio.run(schema_is_current(database))
    finally:
        asyncio.run(database.close())


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return compare_metadata(context, metadata)
