"""What users and organizations bring along: keys for inference providers, endpoints (request-path 8.2, 12.1)."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.storage.sql.types import TextList, UtcInstant

revision: Final = "0006_own_upstreams"
down_revision: Final = "0005_organization_facts"

_JSON: Final = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_ONE_OWNER: Final = "(user_id IS NULL) <> (organization_id IS NULL)"


def upgrade() -> None:
    op.create_table(
        "byok_keys",
        *_owned("byok_keys"),
        sa.Column("sealed_key", _JSON, nullable=False),
        sa.Column("last_four", sa.Text, nullable=False),
    )
    op.create_table(
        "custom_upstreams",
        *_owned("custom_upstreams"),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("sealed_key", _JSON),
        sa.Column("last_four", sa.Text, nullable=False),
        sa.Column("sealed_headers", _JSON),
        sa.Column("header_names", TextList, nullable=False),
        sa.Column("model_metadata", _JSON, nullable=False),
        sa.CheckConstraint("provider_id = lower(provider_id)", name="ck_custom_upstreams_provider_id"),
        sa.CheckConstraint("sealed_key IS NOT NULL OR NOT is_enabled", name="ck_custom_upstreams_sealed_key"),
    )
    op.create_index("ix_custom_upstreams_provider_id", "custom_upstreams", ["provider_id"])


def _owned(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    """What both tables have in common."""
    return (
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.Column("updated_at", UtcInstant, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=f"fk_{table}_organization_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"),
        sa.UniqueConstraint("organization_id", "provider_id", name=f"uq_{table}_organization_id_provider_id"),
        sa.UniqueConstraint("user_id", "provider_id", name=f"uq_{table}_user_id_provider_id"),
        sa.CheckConstraint(_ONE_OWNER, name=f"ck_{table}_owner"),
    )
