"""Organizations say whether they pay by seat; what else they decide has its place in `settings` since the first one."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005_organization_facts"
down_revision: Final = "0004_free_model_usage"


def upgrade() -> None:
    op.add_column("organizations", sa.Column("require_seats", sa.Boolean, nullable=False, server_default=sa.false()))
