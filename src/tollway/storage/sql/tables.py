"""The schema: every table of the database, written once for SQLite and PostgreSQL.

`storage/migrations/` builds it; a contract test compares the two. Money is `*_microdollars` in 64-bit integers.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tollway.storage.sql.types import ExactDecimal, TextList, UtcInstant

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ZERO: Final = text("0")


def _money(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _created() -> Column[Any]:
    return Column("created_at", UtcInstant, nullable=False)


users: Final = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # lower-cased
    Column("name", Text, nullable=False),
    Column("pepper", Text),  # NULL: an account taken over, any otherwise valid token passes
    Column("blocked_reason", Text),
    _created(),
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("length(blocked_reason) > 0", name="blocked_reason"),
)

organizations: Final = Table(
    "organizations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("settings", JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    Column("deleted_at", UtcInstant),
    _created(),
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("length(trim(name)) > 0", name="name"),
    CheckConstraint("plan IN ('teams', 'enterprise')", name="plan"),
)

memberships: Final = Table(
    "memberships",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, ForeignKey("users.id", ondelete="RESTRICT"), nullable=False, index=True),
    Column("role", Text, nullable=False),
    _created(),
    Column("updated_at", UtcInstant, nullable=False),
    UniqueConstraint("organization_id", "user_id"),
    CheckConstraint("role IN ('owner', 'member', 'billing_manager')", name="role"),
)

member_limits: Final = Table(
    "member_limits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("limit_type", Text, nullable=False),
    _money("limit_microdollars"),
    UniqueConstraint("organization_id", "user_id", "limit_type"),
    CheckConstraint("limit_type IN ('daily')", name="limit_type"),
    CheckConstraint("limit_microdollars >= 0", name="limit_microdollars"),
)

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False, unique=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("organization_id", Text, ForeignKey("organizations.id", ondelete="CASCADE"), index=True),
    Column("label", Text, nullable=False),
    Column("last_four", Text, nullable=False),
    Column("limit_microdollars", BigInteger),
    Column("expires_at", UtcInstant),
    Column("revoked_at", UtcInstant),
    _created(),
    CheckConstraint("limit_microdollars >= 0", name="limit_microdollars"),
)

ledger_accounts: Final = Table(
    "ledger_accounts",
    metadata,
    Column("id", Text, primary_key=True),  # user:<id>, organization:<id>, system:<name>
    Column("kind", Text, nullable=False),
    _created(),
    CheckConstraint("kind IN ('user', 'organization', 'system')", name="kind"),
)

# Immutable: triggers refuse UPDATE, DELETE and TRUNCATE. No foreign key to ledger_accounts: each charge would lock
# the one row of system:revenue; `books.py` reports entries that name unknown accounts instead.
ledger_entries: Final = Table(
    "ledger_entries",
    metadata,
    Column("id", Text, primary_key=True),  # <request or transaction id>:<kind>
    Column("request_id", Text),
    Column("kind", Text, nullable=False),
    Column("debit_account", Text, nullable=False, index=True),
    Column("credit_account", Text, nullable=False),
    _money("amount_microdollars"),
    Column("memo", Text),
    _created(),
    UniqueConstraint("request_id", "kind"),
    CheckConstraint("amount_microdollars > 0", name="amount_microdollars"),
    CheckConstraint("debit_account <> credit_account", name="accounts"),
    CheckConstraint("kind IN ('grant', 'payment', 'refund', 'charge', 'absorbed', 'correction')", name="kind"),
    Index(
        "ix_ledger_entries_credit_account",
        "credit_account",
        sqlite_where=text("credit_account <> 'system:revenue'"),
        postgresql_where=text("credit_account <> 'system:revenue'"),
    ),
)

# What is left of every limit. Balances (user, organization): limit = everything credited, spent = everything charged,
# both caches of the entries. Member's day and key: the limit comes with the BudgetRef and stays NULL here.
budgets: Final = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),  # BudgetRef.id
    Column("kind", Text, nullable=False),
    Column("limit_microdollars", BigInteger),
    _money("spent_microdollars"),
    _money("held_microdollars"),
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("kind IN ('organization', 'user', 'member_day', 'key')", name="kind"),
    CheckConstraint("held_microdollars >= 0", name="held_microdollars"),
    CheckConstraint("(kind IN ('organization', 'user')) = (limit_microdollars IS NOT NULL)", name="limit_microdollars"),
)

# Open holds only: a row goes when its hold is settled, released or expired. Settled ids are known by their usage row.
holds: Final = Table(
    "holds",
    metadata,
    Column("request_id", Text, primary_key=True),
    _money("amount_microdollars"),
    Column("budgets", TextList, nullable=False),
    Column("usage_day", Date, nullable=False),
    Column("expires_at", UtcInstant, nullable=False, index=True),
    _created(),
    CheckConstraint("amount_microdollars >= 0", name="amount_microdollars"),
)

usage: Final = Table(
    "usage",
    metadata,
    Column("id", Text, primary_key=True),  # the request id
    Column("user_id", Text, nullable=False),
    Column("organization_id", Text),
    Column("key_id", Text),
    Column("provider_id", Text, nullable=False),
    Column("requested_model", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    Column("inference_provider", Text),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("basis", Text, nullable=False),
    _money("cost_microdollars"),  # what the caller paid
    _money("absorbed_microdollars"),
    _money("market_cost_microdollars"),
    _money("list_cost_microdollars"),
    Column("reported_cost_microdollars", BigInteger),
    _money("hold_microdollars"),
    Column("price_version", Text, nullable=False),
    Column("prompt_usd", ExactDecimal, nullable=False),
    Column("completion_usd", ExactDecimal, nullable=False),
    Column("has_error", Boolean, nullable=False),
    Column("abuse_classification", SmallInteger, nullable=False, server_default=_ZERO),
    Column("usage_day", Date, nullable=False),
    Column("budgets", TextList, nullable=False),  # which budgets the cost was counted against
    Column("created_at", UtcInstant, nullable=False, index=True),
    Index("ix_usage_user_id_created_at", "user_id", "created_at"),
    Index(
        "ix_usage_organization_id",
        "organization_id",
        sqlite_where=text("organization_id IS NOT NULL"),
        postgresql_where=text("organization_id IS NOT NULL"),
    ),
    Index(
        "ix_usage_abuse_classification",
        "abuse_classification",
        sqlite_where=text("abuse_classification <> 0"),
        postgresql_where=text("abuse_classification <> 0"),
    ),
)

usage_metadata: Final = Table(
    "usage_metadata",
    metadata,
    Column("id", Text, ForeignKey("usage.id", ondelete="CASCADE"), primary_key=True),
    Column("message_id", Text),
    Column("status_code", SmallInteger, nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("finish_reason", Text),
    Column("is_byok", Boolean),
    Column("attempts", Integer, nullable=False),
    Column("latency_ms", BigInteger, nullable=False),
    Column("created_at", UtcInstant, nullable=False, index=True),
)

credit_transactions: Final = Table(
    "credit_transactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, index=True),
    Column("organization_id", Text, index=True),  # set: the organization was credited, user_id is who paid, if known
    _money("amount_microdollars"),
    Column("is_free", Boolean, nullable=False),
    Column("description", Text),
    Column("credit_category", Text, index=True),
    Column("expiry_date", UtcInstant),
    Column("created_at", UtcInstant, nullable=False, index=True),
    CheckConstraint("user_id IS NOT NULL OR organization_id IS NOT NULL", name="owner"),
    CheckConstraint("amount_microdollars <> 0", name="amount_microdollars"),
)

prices: Final = Table(
    "prices",
    metadata,
    Column("version", Text, primary_key=True),
    Column("provider_id", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    Column("model_id", Text, nullable=False),  # what callers name
    Column("name", Text, nullable=False),
    Column("context_length", BigInteger),
    Column("effective_from", UtcInstant, nullable=False),
    Column("prompt_usd", ExactDecimal, nullable=False),
    Column("completion_usd", ExactDecimal, nullable=False),
    Column("cached_usd", ExactDecimal),
    Column("cache_write_usd", ExactDecimal),
    Column("request_usd", ExactDecimal, nullable=False),
    Column("image_usd", ExactDecimal, nullable=False),
    Column("source", Text, nullable=False),
    Column("checked", Date, nullable=False),
    Index("ix_prices_provider_id_upstream_model_effective_from", "provider_id", "upstream_model", "effective_from"),
)

# identity_revision, catalog_revision: numbers that only grow.
deployment: Final = Table(
    "deployment",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
