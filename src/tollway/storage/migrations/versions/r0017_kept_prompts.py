"""Text that is kept for organizations, found by owner and age."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0017_kept_prompts"
down_revision: Final = "0016_master_keys"


def upgrade() -> None:
    op.add_column("usage_prompts", sa.Column("organization_id", sa.Text))
    op.drop_index("ix_usage_prompts_created_at", "usage_prompts")
    for table in ("usage_prompts", "request_log"):
        op.create_index(f"ix_{table}_organization_id_created_at", table, ["organization_id", "created_at"])
