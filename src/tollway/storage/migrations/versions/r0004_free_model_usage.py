"""Uses of hosted free models: one row each, with a hash in place of the address (request-path 5.4)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import UtcInstant

revision: Final = "0004_free_model_usage"
down_revision: Final = "0003_idempotency_keys"


def upgrade() -> None:
    op.create_table(
        "free_model_usage",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("address_hash", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_free_model_usage"),
    )
    op.create_index("ix_free_model_usage_created_at", "free_model_usage", ["created_at"])
    op.create_index("ix_free_model_usage_address_hash_created_at", "free_model_usage", ["address_hash", "created_at"])
