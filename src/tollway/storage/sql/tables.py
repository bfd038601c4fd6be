"""The schema: every table of the database, written once for SQLite and PostgreSQL.

`storage/migrations/` builds it; a contract test compares the two. Money is `*_microdollars` in 64-bit integers.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.types import TypeEngine

from tollway.billing.ledger import EntryKind
from tollway.billing.store import LOOKUPS_MAX
from tollway.storage.sql.types import JSON_VALUE, ExactDecimal, TextList, UtcInstant

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

UNCERTAIN: Final = f"lookups < {LOOKUPS_MAX} AND reconciled_at IS NULL"  # usage that reconciliation looks up
UNEXPIRED: Final = "expiry_date IS NOT NULL AND expired_at IS NULL"  # credits that will expire

_ZERO: Final = text("0")


def _money(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _columns(type_: type[TypeEngine[Any]], *names: str) -> Iterator[Column[Any]]:
    return (Column(name, type_, nullable=False) for name in names)


def _index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


users: Final = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # lower-cased
    Column("name", Text, nullable=False),
    Column("pepper", Text),  # NULL: an account taken over, any otherwise valid token passes
    Column("blocked_reason", Text),
    Column("is_admin", Boolean, nullable=False, server_default=false()),  # set by command alone
    Column("is_bot", Boolean, nullable=False, server_default=false()),  # a service account
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("length(blocked_reason) > 0", name="blocked_reason"),
)

organizations: Final = Table(
    "organizations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("settings", JSON_VALUE, nullable=False),  # identity/organization.py
    Column("require_seats", Boolean, nullable=False, server_default=false()),
    Column("deleted_at", UtcInstant),
    Column("created_at", UtcInstant, nullable=False),
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
    Column("created_at", UtcInstant, nullable=False),
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
    Column("created_at", UtcInstant, nullable=False),
    Column("model_allow_list", TextList, nullable=False, server_default="[]"),  # empty: all models
    Column("last_used_at", UtcInstant),  # see `key_use.py`
    CheckConstraint("limit_microdollars >= 0", name="limit_microdollars"),
)

ledger_accounts: Final = Table(
    "ledger_accounts",
    metadata,
    Column("id", Text, primary_key=True),  # user:<id>, organization:<id>, system:<name>
    Column("kind", Text, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    CheckConstraint("kind IN ('user', 'organization', 'system')", name="kind"),
)

# Immutable: triggers refuse UPDATE, DELETE and TRUNCATE. No foreign key to ledger_accounts: each charge would lock
# the one row of system:revenue; `books.py` reports entries that name unknown accounts instead. No index by account:
# whoever adds up an account's entries reads most of them. `OR`, because SQLite builds a table for each `IN`.
ledger_entries: Final = Table(
    "ledger_entries",
    metadata,
    Column("source_id", Text, primary_key=True),  # the request or the credit transaction
    Column("kind", Text, primary_key=True),
    *_columns(Text, "debit_account", "credit_account"),
    _money("amount_microdollars"),
    Column("memo", Text),
    Column("created_at", UtcInstant, nullable=False),
    CheckConstraint("amount_microdollars > 0", name="amount_microdollars"),
    CheckConstraint("debit_account <> credit_account", name="accounts"),
    CheckConstraint(" OR ".join(f"kind = '{kind.value}'" for kind in EntryKind), name="kind"),
    sqlite_with_rowid=False,
)

# What is left of every limit. Balances (user, organization): limit = everything credited, spent = everything charged,
# both caches of the entries. Member's day and key: the limit comes with the BudgetRef and stays NULL here. Held is
# what workers have leased. The one request that holds less than it may cost is named until it is settled.
budgets: Final = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),  # BudgetRef.id
    Column("kind", Text, nullable=False),
    Column("limit_microdollars", BigInteger),
    _money("spent_microdollars"),
    _money("held_microdollars"),
    Column("partly_covered_request", Text),
    Column("partly_covered_worker", Text),
    Column("bonus_due_microdollars", BigInteger),  # of a subscriber: once so much is spent, the bonus is due
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("kind IN ('organization', 'user', 'member_day', 'key')", name="kind"),
    CheckConstraint("held_microdollars >= 0", name="held_microdollars"),
    CheckConstraint("(kind IN ('organization', 'user')) = (limit_microdollars IS NOT NULL)", name="limit_microdollars"),
    CheckConstraint("(partly_covered_request IS NULL) = (partly_covered_worker IS NULL)", name="partly_covered"),
    _index("ix_budgets_partly_covered_worker", "partly_covered_worker", where="partly_covered_worker IS NOT NULL"),
)

workers: Final = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("started_at", UtcInstant, nullable=False),
    Column("seen_at", UtcInstant, nullable=False),
    Column("ended_at", UtcInstant),
)

# What a worker has taken out of a budget, to cut holds from; a row without an amount is removed.
leases: Final = Table(
    "leases",
    metadata,
    Column("worker_id", Text, ForeignKey("workers.id"), primary_key=True),
    Column("budget_id", Text, ForeignKey("budgets.id"), primary_key=True, index=True),
    _money("amount_microdollars"),
    Column("recalled", Boolean, nullable=False),  # others wait for what the worker does not use
    CheckConstraint("amount_microdollars >= 0", name="amount_microdollars"),
)

# Changes of leases made lately, so that one whose acknowledgement was lost is not made again (`changes.py`).
lease_changes: Final = Table(
    "lease_changes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("worker_id", Text, nullable=False),
)

# Ids are ordered by time: ranges of them are ranges of time, so the two indexes serve every listing of one payer's
# requests. Each costs a settlement about a microsecond.
usage: Final = Table(
    "usage",
    metadata,
    Column("id", Text, primary_key=True),  # the request id
    Column("user_id", Text, nullable=False),
    Column("organization_id", Text),
    Column("key_id", Text),
    *_columns(Text, "provider_id", "requested_model", "model", "upstream_model"),
    Column("inference_provider", Text),
    *_columns(
        BigInteger, "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"
    ),
    Column("basis", Text, nullable=False),
    _money("cost_microdollars"),  # what the caller paid at first
    *_columns(BigInteger, "absorbed_microdollars", "market_cost_microdollars", "list_cost_microdollars"),
    Column("reported_cost_microdollars", BigInteger),
    *_columns(BigInteger, "worst_case_microdollars", "hold_microdollars"),
    Column("corrected_microdollars", BigInteger, nullable=False, server_default=_ZERO),  # to be added to cost
    Column("corrected_absorbed_microdollars", BigInteger, nullable=False, server_default=_ZERO),
    Column("reconciled_at", UtcInstant),
    Column("lookups", SmallInteger),  # at the upstream, in vain; NULL: there is nothing to look up
    Column("price_version", Text, nullable=False),
    Column("prompt_usd", ExactDecimal, nullable=False),
    Column("completion_usd", ExactDecimal, nullable=False),
    Column("has_error", Boolean, nullable=False),
    Column("abuse_classification", SmallInteger, nullable=False, server_default=_ZERO),
    Column("usage_day", Date, nullable=False),
    Column("budgets", TextList, nullable=False),  # which budgets the cost was counted against, the payer's first
    Column("created_at", UtcInstant, nullable=False),
    Index("ix_usage_user_id_id", "user_id", "id"),
    _index("ix_usage_organization_id_id", "organization_id", "id", where="organization_id IS NOT NULL"),
    _index("ix_usage_uncertain", "provider_id", "created_at", "id", where=UNCERTAIN),
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
    Column("route", TextList, nullable=False),
    Column("attempts", TextList, nullable=False),
    *_columns(BigInteger, "prompt_tokens_max", "completion_tokens_max", "latency_ms"),
    # What the request said besides; NULL where it was settled by a version that did not keep it.
    Column("origin_id", Text),  # usage_origins; no foreign key, because a batch must not wait for another's row
    Column("session_id", Text),
    Column("max_tokens", BigInteger),
    Column("system_prompt_length", BigInteger),
    Column("abuse_request_id", BigInteger),
    Column("rule", Text),  # which one decided who serves it; NULL: of a version that did not say
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
    Column("expired_at", UtcInstant),  # when what was left of it was taken back
    Column("expiration_baseline_microdollars", BigInteger),  # the account's use from which on it counts as used
    Column("original_baseline_microdollars", BigInteger),  # the same before other credits moved it
    Column("original_transaction_id", Text),  # of a negative one: what has expired
    Column("payment_id", Text),  # at the payment provider
    Column("once_per_category", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcInstant, nullable=False, index=True),
    _index("ix_credit_transactions_expiry_date", "expiry_date", where=UNEXPIRED),
    Index("uq_credit_transactions_original_transaction_id", "original_transaction_id", unique=True),
    Index("uq_credit_transactions_payment_id", "payment_id", unique=True),
    Index(
        "uq_credit_transactions_user_id_credit_category",
        "user_id",
        "credit_category",
        unique=True,
        sqlite_where=text("once_per_category"),
        postgresql_where=text("once_per_category"),
    ),
    CheckConstraint("user_id IS NOT NULL OR organization_id IS NOT NULL", name="owner"),
    CheckConstraint("amount_microdollars <> 0", name="amount_microdollars"),
)

# Which request a caller has sent under a key of theirs; kept for a day (guarantees M10).
idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),  # <payer's budget>:<route>
    Column("key_hash", Text, primary_key=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("created_at", UtcInstant, nullable=False, index=True),
)

# One row for each use of a hosted free model. The limits are counted in windows, not here. `address_hash` has another
# salt every day (`limits/addresses.py`). No foreign key: a batch of rows must not fail for one user who is gone.
free_model_usage: Final = Table(
    "free_model_usage",
    metadata,
    Column("id", Text, primary_key=True),  # the request id
    *_columns(Text, "address_hash", "model"),
    Column("user_id", Text),  # NULL: nobody signed in
    Column("created_at", UtcInstant, nullable=False, index=True),
    Index("ix_free_model_usage_address_hash_created_at", "address_hash", "created_at"),
    _index("ix_free_model_usage_user_id", "user_id", where="user_id IS NOT NULL"),
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

# identity_revision, catalog_revision: numbers that only grow. usage_summed_until_ms: see `usage_sums.py`.
deployment: Final = Table(
    "deployment",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# `subject`: the user or organization that the change with this number of identity_revision is about; a number without
# rows is about anybody. The newest are kept (`identity_changes.py`).
identity_changes: Final = Table(
    "identity_changes",
    metadata,
    Column("revision", BigInteger, primary_key=True),
    Column("subject", Text, primary_key=True),
)
