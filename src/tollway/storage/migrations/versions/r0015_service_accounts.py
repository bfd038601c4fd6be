"""Service accounts: users that are programs (catalog-and-clients E.6, F.1)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0015_service_accounts"
down_revision: Final = "0014_management"


def upgrade() -> None:
    op.add_column("users", sa.Column("is_bot", sa.Boolean, nullable=False, server_default=sa.false()))
