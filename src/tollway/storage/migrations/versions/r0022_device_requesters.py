"""Logins of devices: who asks, sealed (catalog-and-clients B.12). A version that knows nothing of it leaves it out."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0022_device_requesters"
down_revision: Final = "0021_key_models"


def upgrade() -> None:
    op.add_column("device_logins", sa.Column("requester", sa.Text))
