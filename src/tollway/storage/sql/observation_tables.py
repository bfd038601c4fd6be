"""Tables about requests as a whole: their records, alerts about them, and events of users' first ones."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
)

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import TextList, UtcInstant

# A record per chat request that went to an upstream, for a few days. First what alerts look at; the rest may be absent.
# No foreign keys: a batch must not fail for one user who is gone, and records of other gateways come here too.
api_metrics: Final = Table(
    "api_metrics",
    metadata,
    Column("id", Text, primary_key=True),  # the request id, or one of its own for a record that was received
    Column("provider", Text, nullable=False),
    Column("resolved_model", Text, nullable=False),
    Column("client_name", Text, nullable=False),
    Column("is_error", Boolean, nullable=False),
    Column("inference_provider", Text, nullable=False),
    Column("user_byok", Boolean, nullable=False),
    Column("ttfb_ms", BigInteger, nullable=False),
    Column("complete_request_ms", BigInteger, nullable=False),
    Column("status_code", SmallInteger, nullable=False),
    Column("created_at", UtcInstant, nullable=False, index=True),
    Column("user_id", Text),  # a user's, or of an anonymous caller the keyed hash
    Column("organization_id", Text),
    Column("is_anonymous", Boolean),
    Column("is_streaming", Boolean),
    Column("mode", Text),
    Column("requested_model", Text),
    Column("tools_available", TextList),
    Column("tools_used", TextList),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("cache_hit_tokens", BigInteger),
    Column("total_tokens", BigInteger),
)

# Which models are watched, and what is promised of each. Models as `resolved_model` above.
alert_configs: Final = Table(
    "alert_configs",
    metadata,
    Column("model", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("error_rate_slo", Double, nullable=False),
    Column("min_requests_per_window", BigInteger, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("error_rate_slo > 0 AND error_rate_slo < 1", name="error_rate_slo"),
    CheckConstraint("min_requests_per_window > 0", name="min_requests_per_window"),
)

ttfb_alert_configs: Final = Table(
    "ttfb_alert_configs",
    metadata,
    Column("model", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("ttfb_threshold_ms", BigInteger, nullable=False),
    Column("ttfb_slo", Double, nullable=False),
    Column("min_requests_per_window", BigInteger, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    CheckConstraint("ttfb_threshold_ms > 0", name="ttfb_threshold_ms"),
    CheckConstraint("ttfb_slo > 0 AND ttfb_slo < 1", name="ttfb_slo"),
    CheckConstraint("min_requests_per_window > 0", name="min_requests_per_window"),
)

# What was told lately, and until when it is not told again.
alert_firings: Final = Table(
    "alert_firings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fired_at", UtcInstant, nullable=False),
    Column("expires_at", UtcInstant, nullable=False, index=True),
)

# First-usage events, one of each kind per user, ever. Who it is about, and whether it really was the first time, is
# looked up when it is sent; the row stays, so that there is no second one.
analytics_events: Final = Table(
    "analytics_events",
    metadata,
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("event", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("cost_microdollars", BigInteger, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("due_at", UtcInstant),  # NULL: sent, or given up
    Column("created_at", UtcInstant, nullable=False),
    Index("ix_analytics_events_due_at", "due_at"),
)
