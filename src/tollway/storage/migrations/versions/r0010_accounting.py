"""Accounting beside the money: origins of requests, look-ups, subscribers and their bonus, expiring credits, notices.

Ledger entries may be expiries from here on. SQLite cannot change a check, so the table is copied aside and made anew
there.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.storage.sql.types import ExactDecimal, UtcInstant

revision: Final = "0010_accounting"
down_revision: Final = "0009_api_metrics"

_KINDS: Final = " OR ".join(
    f"kind = '{kind}'"
    for kind in (
        "grant",
        "payment",
        "refund",
        "charge",
        "absorbed",
        "correction",
        "absorbed_correction",
        "expiry",
    )
)
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
_JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    _allow_expiries()
    op.add_column("budgets", sa.Column("bonus_due_microdollars", sa.BigInteger()))
    _extend_usage()
    _extend_credits()
    _create_subscriptions()
    _create_notices()


def _allow_expiries() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("ck_ledger_entries_kind", "ledger_entries", type_="check")
        op.create_check_constraint(op.f("ck_ledger_entries_kind"), "ledger_entries", _KINDS)
        return
    op.execute("CREATE TEMPORARY TABLE old_ledger_entries AS SELECT * FROM ledger_entries")
    op.drop_table("ledger_entries")
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
        sa.CheckConstraint(_KINDS, name="ck_ledger_entries_kind"),
        sa.PrimaryKeyConstraint("source_id", "kind", name="pk_ledger_entries"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO ledger_entries (source_id, kind, debit_account, credit_account, amount_microdollars, memo,"
        " created_at) SELECT source_id, kind, debit_account, credit_account, amount_microdollars, memo, created_at"
        " FROM old_ledger_entries"
    )
    op.execute("DROP TABLE old_ledger_entries")
    for statement in _SQLITE_TRIGGERS:
        op.execute(statement)


def _extend_usage() -> None:
    for name, type_ in (
        ("origin_id", sa.Text()),
        ("session_id", sa.Text()),
        ("max_tokens", sa.BigInteger()),
        ("system_prompt_length", sa.BigInteger()),
        ("abuse_request_id", sa.BigInteger()),
        ("rule", sa.Text()),
    ):
        op.add_column("usage_metadata", sa.Column(name, type_))
    op.create_table(
        "usage_origins",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text()),
        sa.Column("mode", sa.Text()),
        sa.Column("editor_name", sa.Text()),
        sa.Column("machine_id", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("address_hash", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("city", sa.Text()),
        sa.Column("latitude", sa.Float()),
        sa.Column("longitude", sa.Float()),
        sa.Column("tls_fingerprint", sa.Text()),
        sa.Column("project_id", sa.Text()),
        sa.Column("auto_model", sa.Text()),
        sa.Column("has_tools", sa.Boolean(), nullable=False),
        sa.Column("has_middle_out", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_origins"),
    )
    op.create_table(
        "usage_prompts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("system_prefix", sa.Text()),
        sa.Column("user_prefix", sa.Text()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["usage.id"], name="fk_usage_prompts_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_prompts"),
    )
    op.create_index("ix_usage_prompts_created_at", "usage_prompts", ["created_at"])
    op.create_table(
        "usage_lookups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_discount_microdollars", sa.BigInteger()),
        sa.Column("upstream_id", sa.Text()),
        sa.Column("inference_provider", sa.Text()),
        sa.Column("latency", sa.Float()),
        sa.Column("moderation_latency", sa.Float()),
        sa.Column("generation_time", sa.Float()),
        sa.Column("cancelled", sa.Boolean()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["usage.id"], name="fk_usage_lookups_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_lookups"),
    )


def _extend_credits() -> None:
    for name, type_ in (
        ("expired_at", UtcInstant()),
        ("expiration_baseline_microdollars", sa.BigInteger()),
        ("original_baseline_microdollars", sa.BigInteger()),
        ("original_transaction_id", sa.Text()),
        ("payment_id", sa.Text()),
    ):
        op.add_column("credit_transactions", sa.Column(name, type_))
    op.add_column(
        "credit_transactions", sa.Column("once_per_category", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    unexpired = sa.text("expiry_date IS NOT NULL AND expired_at IS NULL")
    op.create_index(
        "ix_credit_transactions_expiry_date",
        "credit_transactions",
        ["expiry_date"],
        sqlite_where=unexpired,
        postgresql_where=unexpired,
    )
    for column in ("original_transaction_id", "payment_id"):
        op.create_index(f"uq_credit_transactions_{column}", "credit_transactions", [column], unique=True)
    op.create_index(
        "uq_credit_transactions_user_id_credit_category",
        "credit_transactions",
        ["user_id", "credit_category"],
        unique=True,
        sqlite_where=sa.text("once_per_category"),
        postgresql_where=sa.text("once_per_category"),
    )


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("cadence", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_cancelling", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcInstant()),
        sa.Column("ended_at", UtcInstant()),
        sa.Column("streak_months", sa.SmallInteger(), nullable=False),
        sa.Column("next_issue_at", UtcInstant()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("cadence IN ('monthly', 'yearly')", name="ck_subscriptions_cadence"),
        sa.CheckConstraint("streak_months >= 0", name="ck_subscriptions_streak_months"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("external_id", name="uq_subscriptions_external_id"),
    )
    op.create_index("ix_subscriptions_user_id", "subscriptions", ["user_id"])
    op.create_table(
        "subscription_issuances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("CAST(month AS TEXT) LIKE '%-01'", name="ck_subscription_issuances_month"),
        sa.CheckConstraint("source IN ('invoice', 'schedule')", name="ck_subscription_issuances_source"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name="fk_subscription_issuances_subscription_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subscription_issuances"),
        sa.UniqueConstraint("subscription_id", "month", name="uq_subscription_issuances_subscription_id_month"),
        sa.UniqueConstraint("invoice_id", name="uq_subscription_issuances_invoice_id"),
    )
    op.create_table(
        "subscription_items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("issuance_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("credit_transaction_id", sa.Text(), nullable=False),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("percent", ExactDecimal()),
        sa.CheckConstraint("kind IN ('base', 'bonus', 'promo_first_month_50pct')", name="ck_subscription_items_kind"),
        sa.CheckConstraint("amount_microdollars >= 0", name="ck_subscription_items_amount_microdollars"),
        sa.ForeignKeyConstraint(
            ["issuance_id"],
            ["subscription_issuances.id"],
            name="fk_subscription_items_issuance_id",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["credit_transaction_id"],
            ["credit_transactions.id"],
            name="fk_subscription_items_credit_transaction_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subscription_items"),
        sa.UniqueConstraint("issuance_id", "kind", name="uq_subscription_items_issuance_id_kind"),
        sa.UniqueConstraint("credit_transaction_id", name="uq_subscription_items_credit_transaction_id"),
    )
    op.create_table(
        "subscription_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text()),
        sa.Column("issuance_id", sa.Text()),
        sa.Column("credit_transaction_id", sa.Text()),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint(
            "result IN ('success', 'skipped_idempotent', 'failed')", name="ck_subscription_events_result"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subscription_events"),
    )
    op.create_index("ix_subscription_events_user_id", "subscription_events", ["user_id"])


def _create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", UtcInstant(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_due_at", "notices", ["due_at"])
    op.create_table(
        "auto_top_ups",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("attempt_started_at", UtcInstant()),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("amount_microdollars > 0", name="ck_auto_top_ups_amount_microdollars"),
        sa.PrimaryKeyConstraint("account_id", name="pk_auto_top_ups"),
    )
