"""Records of single chat requests, alerts about them, and first-usage events (response-path §8, §9)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import TextList, UtcInstant

revision: Final = "0009_api_metrics"
down_revision: Final = "0008_response_phases"


def upgrade() -> None:
    _add_records()
    _add_alerts()
    op.create_table(
        "analytics_events",
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("cost_microdollars", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("due_at", UtcInstant),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_analytics_events_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "event", name="pk_analytics_events"),
    )
    op.create_index("ix_analytics_events_due_at", "analytics_events", ["due_at"])


def _add_records() -> None:
    op.create_table(
        "api_metrics",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("resolved_model", sa.Text, nullable=False),
        sa.Column("client_name", sa.Text, nullable=False),
        sa.Column("is_error", sa.Boolean, nullable=False),
        sa.Column("inference_provider", sa.Text, nullable=False),
        sa.Column("user_byok", sa.Boolean, nullable=False),
        sa.Column("ttfb_ms", sa.BigInteger, nullable=False),
        sa.Column("complete_request_ms", sa.BigInteger, nullable=False),
        sa.Column("status_code", sa.SmallInteger, nullable=False),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("organization_id", sa.Text),
        sa.Column("is_anonymous", sa.Boolean),
        sa.Column("is_streaming", sa.Boolean),
        sa.Column("mode", sa.Text),
        sa.Column("requested_model", sa.Text),
        sa.Column("tools_available", TextList),
        sa.Column("tools_used", TextList),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cache_write_tokens", sa.BigInteger),
        sa.Column("cache_hit_tokens", sa.BigInteger),
        sa.Column("total_tokens", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_api_metrics"),
    )
    op.create_index("ix_api_metrics_created_at", "api_metrics", ["created_at"])


def _add_alerts() -> None:
    op.create_table(
        "alert_configs",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("error_rate_slo", sa.Double, nullable=False),
        sa.Column("min_requests_per_window", sa.BigInteger, nullable=False),
        sa.Column("updated_at", UtcInstant, nullable=False),
        sa.CheckConstraint("error_rate_slo > 0 AND error_rate_slo < 1", name="ck_alert_configs_error_rate_slo"),
        sa.CheckConstraint("min_requests_per_window > 0", name="ck_alert_configs_min_requests_per_window"),
        sa.PrimaryKeyConstraint("model", name="pk_alert_configs"),
    )
    op.create_table(
        "ttfb_alert_configs",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("ttfb_threshold_ms", sa.BigInteger, nullable=False),
        sa.Column("ttfb_slo", sa.Double, nullable=False),
        sa.Column("min_requests_per_window", sa.BigInteger, nullable=False),
        sa.Column("updated_at", UtcInstant, nullable=False),
        sa.CheckConstraint("ttfb_threshold_ms > 0", name="ck_ttfb_alert_configs_ttfb_threshold_ms"),
        sa.CheckConstraint("ttfb_slo > 0 AND ttfb_slo < 1", name="ck_ttfb_alert_configs_ttfb_slo"),
        sa.CheckConstraint("min_requests_per_window > 0", name="ck_ttfb_alert_configs_min_requests_per_window"),
        sa.PrimaryKeyConstraint("model", name="pk_ttfb_alert_configs"),
    )
    op.create_table(
        "alert_firings",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fired_at", UtcInstant, nullable=False),
        sa.Column("expires_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_alert_firings"),
    )
    op.create_index("ix_alert_firings_expires_at", "alert_firings", ["expires_at"])
