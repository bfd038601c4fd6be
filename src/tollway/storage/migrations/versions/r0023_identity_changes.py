"""Whose identity changed, by revision, so that others are not looked up again. A version that knows nothing of it
writes no rows, and a revision without rows stands for everybody."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0023_identity_changes"
down_revision: Final = "0022_device_requesters"


def upgrade() -> None:
    op.create_table(
        "identity_changes",
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("revision", "subject", name="pk_identity_changes"),
    )
