"""Tables of accounting beside the money itself: who asked how, what upstreams said later, subscribers, notices."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import JSON_VALUE, ExactDecimal, UtcInstant

# What many requests of a client have in common, stored once: the id is a hash of the rest. `address_hash` is keyed.
usage_origins: Final = Table(
    "usage_origins",
    metadata,
    Column("id", Text, primary_key=True),
    Column("feature", Text),
    Column("mode", Text),
    Column("editor_name", Text),
    Column("machine_id", Text),
    Column("user_agent", Text),
    Column("address_hash", Text),
    Column("country", Text),
    Column("city", Text),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("tls_fingerprint", Text),
    Column("project_id", Text),
    Column("auto_model", Text),
    Column("has_tools", Boolean, nullable=False),
    Column("has_middle_out", Boolean, nullable=False),
)

# First characters of prompts, only where they are wanted, and for so long as was said (guarantees P1).
usage_prompts: Final = Table(
    "usage_prompts",
    metadata,
    Column("id", Text, ForeignKey("usage.id", ondelete="CASCADE"), primary_key=True),
    Column("system_prefix", Text),
    Column("user_prefix", Text),
    Column("created_at", UtcInstant, nullable=False),
    Column("organization_id", Text),  # NULL: of a personal request
    Index("ix_usage_prompts_organization_id_created_at", "organization_id", "created_at"),
)

# What the upstream's own record of an answer said, where it was looked up. Times are as it gives them.
usage_lookups: Final = Table(
    "usage_lookups",
    metadata,
    Column("id", Text, ForeignKey("usage.id", ondelete="CASCADE"), primary_key=True),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cache_discount_microdollars", BigInteger),
    Column("upstream_id", Text),
    Column("inference_provider", Text),
    Column("latency", Float),
    Column("moderation_latency", Float),
    Column("generation_time", Float),
    Column("cancelled", Boolean),
    Column("created_at", UtcInstant, nullable=False),
)

subscriptions: Final = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("external_id", Text, nullable=False, unique=True),  # at the payment provider
    Column("tier", Text, nullable=False),
    Column("cadence", Text, nullable=False),
    Column("status", Text, nullable=False),  # the payment provider's
    Column("is_cancelling", Boolean, nullable=False),
    Column("started_at", UtcInstant),
    Column("ended_at", UtcInstant),
    Column("streak_months", SmallInteger, nullable=False),
    Column("next_issue_at", UtcInstant),
    Column("created_at", UtcInstant, nullable=False),
    Column("paid_until", UtcInstant),  # NULL: nothing was paid, or nobody has told
    CheckConstraint("cadence IN ('monthly', 'yearly')", name="cadence"),
    CheckConstraint("streak_months >= 0", name="streak_months"),
)

# One month of a subscription.
subscription_issuances: Final = Table(
    "subscription_issuances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subscription_id", Text, ForeignKey("subscriptions.id", ondelete="RESTRICT"), nullable=False),
    Column("month", Date, nullable=False),  # its first day
    Column("source", Text, nullable=False),
    Column("invoice_id", Text, unique=True),
    Column("created_at", UtcInstant, nullable=False),
    UniqueConstraint("subscription_id", "month"),
    CheckConstraint("CAST(month AS TEXT) LIKE '%-01'", name="month"),
    CheckConstraint("source IN ('invoice', 'schedule')", name="source"),
)

# What was credited for it: the base that was paid, and the bonus.
subscription_items: Final = Table(
    "subscription_items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("issuance_id", Text, ForeignKey("subscription_issuances.id", ondelete="RESTRICT"), nullable=False),
    Column("kind", Text, nullable=False),
    Column(
        "credit_transaction_id",
        Text,
        ForeignKey("credit_transactions.id", ondelete="RESTRICT"),
        nullable=False,
        unique=True,
    ),
    Column("amount_microdollars", BigInteger, nullable=False),
    Column("percent", ExactDecimal),
    UniqueConstraint("issuance_id", "kind"),
    CheckConstraint("kind IN ('base', 'bonus', 'promo_first_month_50pct')", name="kind"),
    CheckConstraint("amount_microdollars >= 0", name="amount_microdollars"),
)

subscription_events: Final = Table(
    "subscription_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("action", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("user_id", Text, nullable=False, index=True),
    Column("subscription_id", Text),
    Column("issuance_id", Text),
    Column("credit_transaction_id", Text),
    Column("payload", JSON_VALUE, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    CheckConstraint("result IN ('success', 'skipped_idempotent', 'failed')", name="result"),
)

# What is to be done or told once a transaction is over; written in that transaction.
notices: Final = Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payload", JSON_VALUE, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("due_at", UtcInstant, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Index("ix_notices_due_at", "due_at"),
)

# Accounts that want to be topped up when little is left. The payment itself is made elsewhere.
auto_top_ups: Final = Table(
    "auto_top_ups",
    metadata,
    Column("account_id", Text, primary_key=True),  # BudgetRef.id
    Column("amount_microdollars", BigInteger, nullable=False),
    Column("attempt_started_at", UtcInstant),
    Column("disabled_reason", Text),  # NULL: enabled
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("amount_microdollars > 0", name="amount_microdollars"),
)
