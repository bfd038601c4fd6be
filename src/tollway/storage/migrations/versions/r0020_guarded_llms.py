"""Custom LLMs whose address an administrator named: it is looked at before every connection (guarantees N1).

Those that are there are the operator's, by command.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0020_guarded_llms"
down_revision: Final = "0019_usage_views"


def upgrade() -> None:
    op.add_column("custom_llms", sa.Column("is_guarded", sa.Boolean, nullable=False, server_default=sa.false()))
