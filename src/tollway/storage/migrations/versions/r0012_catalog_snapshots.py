"""Snapshots of the catalog: the newest few, whole (catalog-and-clients A.6.1)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import UtcInstant

revision: Final = "0012_catalog_snapshots"
down_revision: Final = "0010_accounting"


def upgrade() -> None:
    op.create_table(
        "catalog_snapshots",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("generated_at", UtcInstant, nullable=False),
        sa.Column("providers", sa.LargeBinary, nullable=False),
        sa.Column("openrouter", sa.LargeBinary),
        sa.Column("vercel", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_snapshots"),
        sqlite_autoincrement=True,
    )
