"""Requests and answers that an operator has kept (response-path 10.2)."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.storage.sql.types import UtcInstant

revision: Final = "0014_request_log"
down_revision: Final = "0013_custom_llms"


def upgrade() -> None:
    op.create_table(
        "request_log",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("status_code", sa.Integer, nullable=False),
        sa.Column("request", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("response", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_request_log"),
    )
    op.create_index("ix_request_log_created_at", "request_log", ["created_at"])
    op.create_index("ix_request_log_user_id", "request_log", ["user_id"])
