"""Custom LLMs and the organizations that are given them (request-path 8.3, response-path 5.1)."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.storage.sql.types import TextList, UtcInstant

revision: Final = "0013_custom_llms"
down_revision: Final = "0012_catalog_snapshots"

_JSON: Final = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "custom_llms",
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("vendor", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("sealed_key", _JSON, nullable=False),
        sa.Column("last_four", sa.Text, nullable=False),
        sa.Column("internal_id", sa.Text, nullable=False),
        sa.Column("context_length", sa.Integer, nullable=False),
        sa.Column("completion_tokens_max", sa.Integer, nullable=False),
        sa.Column("verbosity", sa.Text),
        sa.Column("reasoning_effort", sa.Text),
        sa.Column("included_tools", TextList),
        sa.Column("excluded_tools", TextList),
        sa.Column("supports_image_input", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("force_reasoning", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.Column("updated_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("public_id", name="pk_custom_llms"),
        sa.CheckConstraint("public_id = lower(public_id)", name="ck_custom_llms_public_id"),
    )
    op.create_table(
        "custom_llm_organizations",
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("public_id", "organization_id", name="pk_custom_llm_organizations"),
        sa.ForeignKeyConstraint(
            ["public_id"],
            ["custom_llms.public_id"],
            name="fk_custom_llm_organizations_public_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_custom_llm_organizations_organization_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_custom_llm_organizations_organization_id", "custom_llm_organizations", ["organization_id"])
