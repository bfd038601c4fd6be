"""Until when a subscription has been paid (response-path 7.3)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from tollway.storage.sql.types import UtcInstant

revision: Final = "0018_subscription_doors"
down_revision: Final = "0017_kept_prompts"


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("paid_until", UtcInstant))
