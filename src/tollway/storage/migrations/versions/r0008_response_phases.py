"""Phases of OpenAI's assistant messages, kept for the next request of the same conversation (response-path 5.9)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import UtcInstant

revision: Final = "0008_response_phases"
down_revision: Final = "0007_own_keys"


def upgrade() -> None:
    op.create_table(
        "response_phases",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_response_phases"),
    )
    op.create_index("ix_response_phases_created_at", "response_phases", ["created_at"])
