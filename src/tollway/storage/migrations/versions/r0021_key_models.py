"""API keys: the models they are for, and when they were last used (catalog-and-clients E.7)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import TextList, UtcInstant

revision: Final = "0021_key_models"
down_revision: Final = "0020_guarded_llms"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("model_allow_list", TextList, nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("last_used_at", UtcInstant))
