"""The first tables: identity, ledger, usage, prices; entries that the database itself keeps from being changed."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.clock import utc_now
from tollway.storage.sql.types import ExactDecimal, TextList, UtcInstant

revision: Final = "0001_first_road"
down_revision: Final = None

_SETTINGS: Final = sa.JSON().with_variant(JSONB(), "postgresql")
_SYSTEM_ACCOUNTS: Final = ("system:payments", "system:grants", "system:revenue", "system:absorbed")
_REVISIONS: Final = ("identity_revision", "catalog_revision")

# INSERT OR REPLACE deletes without firing a DELETE trigger, hence the third one.
_SQLITE_TRIGGERS: Final = (
    """CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
       BEGIN SELECT RAISE(ABORT, 'ledger entries are immutable'); END""",
    """CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
       BEGIN SELECT RAISE(ABORT, 'ledger entries are immutable'); END""",
    """CREATE TRIGGER ledger_entries_no_replace BEFORE INSERT ON ledger_entries
       WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE id = NEW.id
                    UNION ALL SELECT 1 FROM ledger_entries WHERE request_id = NEW.request_id AND kind = NEW.kind)
       BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: ledger entries are immutable'); END""",
)
_POSTGRES_TRIGGERS: Final = (
    """CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'ledger entries are immutable' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE TRIGGER ledger_entries_no_change BEFORE UPDATE OR DELETE ON ledger_entries
       FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change()""",
    """CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()""",
)


def upgrade() -> None:
    _create_identity()
    _create_money()
    _create_usage()
    _create_catalog()
    for statement in _POSTGRES_TRIGGERS if op.get_bind().dialect.name == "postgresql" else _SQLITE_TRIGGERS:
        op.execute(statement)
    _insert_first_rows()


def _insert_first_rows() -> None:
    accounts = sa.table("ledger_accounts", sa.column("id"), sa.column("kind"), sa.column("created_at", UtcInstant()))
    now = utc_now()
    op.bulk_insert(accounts, [{"id": id_, "kind": "system", "created_at": now} for id_ in _SYSTEM_ACCOUNTS])
    deployment = sa.table("deployment", sa.column("key"), sa.column("value"))
    op.bulk_insert(deployment, [{"key": key, "value": 1} for key in _REVISIONS])


def _create_identity() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pepper", sa.Text()),
        sa.Column("blocked_reason", sa.Text()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("length(blocked_reason) > 0", name="ck_users_blocked_reason"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("settings", _SETTINGS, nullable=False),
        sa.Column("deleted_at", UtcInstant()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("plan IN ('teams', 'enterprise')", name="ck_organizations_plan"),
        sa.CheckConstraint("length(trim(name)) > 0", name="ck_organizations_name"),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
    )
    op.create_table(
        "memberships",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'member', 'billing_manager')", name="ck_memberships_role"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_memberships_organization_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_memberships"),
        sa.UniqueConstraint("organization_id", "user_id", name="uq_memberships_organization_id_user_id"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "member_limits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("limit_type", sa.Text(), nullable=False),
        sa.Column("limit_microdollars", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("limit_type IN ('daily')", name="ck_member_limits_limit_type"),
        sa.CheckConstraint("limit_microdollars >= 0", name="ck_member_limits_limit_microdollars"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_member_limits_organization_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_member_limits_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_member_limits"),
        sa.UniqueConstraint(
            "organization_id", "user_id", "limit_type", name="uq_member_limits_organization_id_user_id_limit_type"
        ),
    )
    op.create_index("ix_member_limits_user_id", "member_limits", ["user_id"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("limit_microdollars", sa.BigInteger()),
        sa.Column("expires_at", UtcInstant()),
        sa.Column("revoked_at", UtcInstant()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("limit_microdollars >= 0", name="ck_api_keys_limit_microdollars"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_api_keys_organization_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret_hash"),
    )
    op.create_index("ix_api_keys_organization_id", "api_keys", ["organization_id"])
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])


def _create_money() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("kind IN ('user', 'organization', 'system')", name="ck_ledger_accounts_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_accounts"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit_account", sa.Text(), nullable=False),
        sa.Column("credit_account", sa.Text(), nullable=False),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("memo", sa.Text()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('grant', 'payment', 'refund', 'charge', 'absorbed', 'correction')", name="ck_ledger_entries_kind"
        ),
        sa.CheckConstraint("amount_microdollars > 0", name="ck_ledger_entries_amount_microdollars"),
        sa.CheckConstraint("debit_account <> credit_account", name="ck_ledger_entries_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entries"),
        sa.UniqueConstraint("request_id", "kind", name="uq_ledger_entries_request_id_kind"),
    )
    op.create_index(
        "ix_ledger_entries_credit_account",
        "ledger_entries",
        ["credit_account"],
        sqlite_where=sa.text("credit_account <> 'system:revenue'"),
        postgresql_where=sa.text("credit_account <> 'system:revenue'"),
    )
    op.create_index("ix_ledger_entries_debit_account", "ledger_entries", ["debit_account"])
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("limit_microdollars", sa.BigInteger()),
        sa.Column("spent_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("held_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('organization', 'user')) = (limit_microdollars IS NOT NULL)",
            name="ck_budgets_limit_microdollars",
        ),
        sa.CheckConstraint("kind IN ('organization', 'user', 'member_day', 'key')", name="ck_budgets_kind"),
        sa.CheckConstraint("held_microdollars >= 0", name="ck_budgets_held_microdollars"),
        sa.PrimaryKeyConstraint("id", name="pk_budgets"),
    )
    op.create_table(
        "holds",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("budgets", TextList(), nullable=False),
        sa.Column("usage_day", sa.Date(), nullable=False),
        sa.Column("expires_at", UtcInstant(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("amount_microdollars >= 0", name="ck_holds_amount_microdollars"),
        sa.PrimaryKeyConstraint("request_id", name="pk_holds"),
    )
    op.create_index("ix_holds_expires_at", "holds", ["expires_at"])
    op.create_table(
        "credit_transactions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("organization_id", sa.Text()),
        sa.Column("amount_microdollars", sa.BigInteger(), nullable=False),
        sa.Column("is_free", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("credit_category", sa.Text()),
        sa.Column("expiry_date", UtcInstant()),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("amount_microdollars <> 0", name="ck_credit_transactions_amount_microdollars"),
        sa.CheckConstraint("user_id IS NOT NULL OR organization_id IS NOT NULL", name="ck_credit_transactions_owner"),
        sa.PrimaryKeyConstraint("id", name="pk_credit_transactions"),
    )
    op.create_index("ix_credit_transactions_created_at", "credit_transactions", ["created_at"])
    op.create_index("ix_credit_transactions_credit_category", "credit_transactions", ["credit_category"])
    op.create_index("ix_credit_transactions_organization_id", "credit_transactions", ["organization_id"])
    op.create_index("ix_credit_transactions_user_id", "credit_transactions", ["user_id"])


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
        sa.Column("hold_microdollars", sa.BigInteger(), nullable=False),
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
        "ix_usage_abuse_classification",
        "usage",
        ["abuse_classification"],
        sqlite_where=sa.text("abuse_classification <> 0"),
        postgresql_where=sa.text("abuse_classification <> 0"),
    )
    op.create_index("ix_usage_created_at", "usage", ["created_at"])
    op.create_index(
        "ix_usage_organization_id",
        "usage",
        ["organization_id"],
        sqlite_where=sa.text("organization_id IS NOT NULL"),
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )
    op.create_index("ix_usage_user_id_created_at", "usage", ["user_id", "created_at"])
    op.create_table(
        "usage_metadata",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("status_code", sa.SmallInteger(), nullable=False),
        sa.Column("streamed", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("is_byok", sa.Boolean()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["usage.id"], name="fk_usage_metadata_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_metadata"),
    )
    op.create_index("ix_usage_metadata_created_at", "usage_metadata", ["created_at"])


def _create_catalog() -> None:
    op.create_table(
        "prices",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("context_length", sa.BigInteger()),
        sa.Column("effective_from", UtcInstant(), nullable=False),
        sa.Column("prompt_usd", ExactDecimal(), nullable=False),
        sa.Column("completion_usd", ExactDecimal(), nullable=False),
        sa.Column("cached_usd", ExactDecimal()),
        sa.Column("cache_write_usd", ExactDecimal()),
        sa.Column("request_usd", ExactDecimal(), nullable=False),
        sa.Column("image_usd", ExactDecimal(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("checked", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_prices"),
    )
    op.create_index(
        "ix_prices_provider_id_upstream_model_effective_from",
        "prices",
        ["provider_id", "upstream_model", "effective_from"],
    )
    op.create_table(
        "deployment",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_deployment"),
    )
