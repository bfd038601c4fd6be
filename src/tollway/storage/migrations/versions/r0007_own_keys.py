"""Inference providers by model, and who changed what of an organization (request-path 8.2.1, 8.2.11)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import TextList, UtcInstant

revision: Final = "0007_own_keys"
down_revision: Final = "0006_own_upstreams"


def upgrade() -> None:
    op.create_table(
        "model_endpoints",
        sa.Column("model_id", sa.Text, nullable=False),
        sa.Column("tags", TextList, nullable=False),
        sa.PrimaryKeyConstraint("model_id", name="pk_model_endpoints"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_organization_id_created_at", "audit_log", ["organization_id", "created_at"])
