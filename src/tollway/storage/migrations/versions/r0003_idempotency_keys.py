"""Idempotency keys: which request a caller has sent under a key of theirs (guarantees M10)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import UtcInstant

revision: Final = "0003_idempotency_keys"
down_revision: Final = "0002_leases"


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("key_hash", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key_hash", name="pk_idempotency_keys"),
        sa.UniqueConstraint("request_id", name="uq_idempotency_keys_request_id"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
