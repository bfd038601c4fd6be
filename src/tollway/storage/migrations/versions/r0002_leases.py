"""Leases take the place of holds; usage can be corrected; what nothing reads is no longer indexed.

The tables that change their shape are copied aside, dropped and made anew, which is the one way that SQLite and
PostgreSQL share. `usage_metadata` goes first: dropping `usage` would delete its rows on SQLite (ON DELETE CASCADE).
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import ExactDecimal, TextList, UtcInstant

revision: Final = "0002_leases"
down_revision: Final = "0001_first_road"

_REBUILT: Final = ("usage_metadata", "usage", "ledger_entries", "budgets")

# INSERT OR REPLACE deletes without firing a DELETE trigger, hence the third one.
_SQLITE_TRIGGERS: Final = (
    """CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
       BEGIN SELECT RAISE(ABORT, 'ledger entries are immutable'); END""",
    """CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
       BEGIN SELECT RAISE(ABORT, 'ledger entries are immutable'); END""",
    """CREATE TRIGGER ledger_entries_no_replace BEFORE INSERT ON ledger_entries
       WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE source_id = NEW.source_id AND kind = NEW.kind)
       BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: ledger entries are immutable'); END""",
)
_POSTGRES_TRIGGERS: Final = (  # their function is there since the first revision
    """CREATE TRIGGER ledger_entries_no_change BEFORE UPDATE OR DELETE ON ledger_entries
       FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change()""",
    """CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()""",
)

# Nothing that was held survives: no request is under way while the schema changes.
_FILL_BUDGETS: Final = """
    INSERT INTO budgets (id, kind, limit_microdollars, spent_microdollars, held_microdollars, updated_at)
    SELECT id, kind, limit_microdollars, spent_microdollars, 0, updated_at FROM old_budgets"""

# An entry's id was `<request or transaction id>:<kind>`.
_FILL_ENTRIES: Final = """
    INSERT INTO ledger_entries
        (source_id, kind, debit_account, credit_account, amount_microdollars, memo, created_at)
    SELECT substr(id, 1, length(id) - length(kind) - 1), kind, debit_account, credit_account, amount_microdollars, memo,
        created_at
    FROM old_ledger_entries"""

# What was not recorded cannot be reconciled, hence no lookups for these rows.
_FILL_USAGE: Final = """
    INSERT INTO usage
        (id, user_id, organization_id, key_id, provider_id, requested_model, model, upstream_model, inference_provider,
         prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, basis,
         cost_microdollars, absorbed_microdollars, market_cost_microdollars, list_cost_microdollars,
         reported_cost_microdollars, worst_case_microdollars, hold_microdollars, price_version, prompt_usd,
         completion_usd, has_error, abuse_classification, usage_day, budgets, created_at)
    SELECT id, user_id, organization_id, key_id, provider_id, requested_model, model, upstream_model,
        inference_provider, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,
        basis, cost_microdollars, absorbed_microdollars, market_cost_microdollars, list_cost_microdollars,
        reported_cost_microdollars, hold_microdollars, hold_microdollars, price_version, prompt_usd,
        completion_usd, has_error, abuse_classification, usage_day, budgets, created_at
    FROM old_usage"""

_FILL_METADATA: Final = """
    INSERT INTO usage_metadata
        (id, message_id, status_code, streamed, cancelled, finish_reason, is_byok, route, attempts, prompt_tokens_max,
         completion_tokens_max, latency_ms)
    SELECT id, message_id, status_code, streamed, cancelled, finish_reason, is_byok, '[]', '[]', 0, 0, latency_ms
    FROM old_usage_metadata"""


def upgrade() -> None:
    op.drop_table("holds")
    for table in _REBUILT:
        op.execute(f"CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM {table}")  # noqa: S608  (constants above)
        op.drop_table(table)
    _create_money()
    _create_usage()
    for statement in (_FILL_BUDGETS, _FILL_ENTRIES, _FILL_USAGE, _FILL_METADATA):
        op.execute(statement)
    for table in _REBUILT:
        op.execute(f"DROP TABLE old_{table}")
    for statement in _POSTGRES_TRIGGERS if op.get_bind().dialect.name == "postgresql" else _SQLITE_TRIGGERS:
        op.execute(statement)


def _create_money() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit_account", sa.Text(), nullable=False),
        sa.Column("credit_account", sa.Text(), nullable=False),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("memo", sa.Text()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("amount_microdollars > 0", name="ck_ledger_entries_amount_microdollars"),
        sa.CheckConstraint("debit_account <> credit_account", name="ck_ledger_entries_accounts"),
        # OR, because SQLite builds a table for each IN, which costs more than the rest of the row.
        sa.CheckConstraint(
            "kind = 'grant' OR kind = 'payment' OR kind = 'refund' OR kind = 'charge' OR kind = 'absorbed'"
            " OR kind = 'correction' OR kind = 'absorbed_correction'",
            name="ck_ledger_entries_kind",
        ),
        sa.PrimaryKeyConstraint("source_id", "kind", name="pk_ledger_entries"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("limit_microdollars", sa.BigInteger()),
        sa.Column("spent_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("held_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("partly_covered_request", sa.Text()),
        sa.Column("partly_covered_worker", sa.Text()),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('organization', 'user')) = (limit_microdollars IS NOT NULL)",
            name="ck_budgets_limit_microdollars",
        ),
        sa.CheckConstraint("kind IN ('organization', 'user', 'member_day', 'key')", name="ck_budgets_kind"),
        sa.CheckConstraint("held_microdollars >= 0", name="ck_budgets_held_microdollars"),
        sa.CheckConstraint(
            "(partly_covered_request IS NULL) = (partly_covered_worker IS NULL)", name="ck_budgets_partly_covered"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_budgets"),
    )
    op.create_index(
        "ix_budgets_partly_covered_worker",
        "budgets",
        ["partly_covered_worker"],
        sqlite_where=sa.text("partly_covered_worker IS NOT NULL"),
        postgresql_where=sa.text("partly_covered_worker IS NOT NULL"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("started_at", UtcInstant(), nullable=False),
        sa.Column("seen_at", UtcInstant(), nullable=False),
        sa.Column("ended_at", UtcInstant()),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "leases",
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("recalled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("amount_microdollars >= 0", name="ck_leases_amount_microdollars"),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name="fk_leases_worker_id"),
        sa.ForeignKeyConstraint(["budget_id"], ["budgets.id"], name="fk_leases_budget_id"),
        sa.PrimaryKeyConstraint("worker_id", "budget_id", name="pk_leases"),
    )
    op.create_index("ix_leases_budget_id", "leases", ["budget_id"])
    op.create_table(
        "lease_changes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lease_changes"),
    )


def _create_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("key_id", sa.Text()),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("requested_model", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("inference_provider", sa.Text()),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("cost_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("absorbed_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("market_cost_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("list_cost_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("reported_cost_microdollars", sa.BigInteger()),
        sa.Column("worst_case_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("hold_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("corrected_microdollars", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("corrected_absorbed_microdollars", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reconciled_at", UtcInstant()),
        sa.Column("lookups", sa.SmallInteger()),
        sa.Column("price_version", sa.Text(), nullable=False),
        sa.Column("prompt_usd", ExactDecimal(), nullable=False),
        sa.Column("completion_usd", ExactDecimal(), nullable=False),
        sa.Column("has_error", sa.Boolean(), nullable=False),
        sa.Column("abuse_classification", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("usage_day", sa.Date(), nullable=False),
        sa.Column("budgets", TextList(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage"),
    )
    op.create_index(
        "ix_usage_uncertain",
        "usage",
        ["provider_id", "created_at", "id"],
        sqlite_where=sa.text("lookups < 10 AND reconciled_at IS NULL"),
        postgresql_where=sa.text("lookups < 10 AND reconciled_at IS NULL"),
    )
    op.create_table(
        "usage_metadata",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("status_code", sa.SmallInteger(), nullable=False),
        sa.Column("streamed", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("is_byok", sa.Boolean()),
        sa.Column("route", TextList(), nullable=False),
        sa.Column("attempts", TextList(), nullable=False),
        sa.Column("prompt_tokens_max", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens_max", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["usage.id"], name="fk_usage_metadata_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_metadata"),
    )
