"""Views of usage over many rows: sums per day, filled in the background, and whose free use it was.

The previous version may go on serving: it neither reads nor writes these, and nothing is summed before a worker of this
version has run for a while.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0019_usage_views"
down_revision: Final = "0018_subscription_doors"


_KEYS: Final = {
    "usage_days": ("user_id", "day", "organization_id", "key_id", "model", "usage_day"),
    "usage_key_days": ("organization_id", "day", "user_id", "key_id", "usage_day"),
    "usage_model_days": ("organization_id", "day", "model", "usage_day"),
}
_COUNTS: Final = (
    "requests",
    "errors",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cost_microdollars",
)
_INDEXES: Final = (
    ("usage_days", ("organization_id", "day")),
    ("usage_days", ("organization_id", "model", "day")),
    ("usage_key_days", ("key_id", "day")),
)


def upgrade() -> None:
    for table, keys in _KEYS.items():
        op.create_table(
            table,
            *(sa.Column(name, sa.Date() if name.endswith("day") else sa.Text(), nullable=False) for name in keys),
            *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
            sa.PrimaryKeyConstraint(*keys, name=f"pk_{table}"),
            sqlite_with_rowid=False,
        )
    for table, columns in _INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    op.execute("INSERT INTO deployment (key, value) VALUES ('usage_summed_until_ms', 0)")
    named = sa.text("user_id IS NOT NULL")
    op.create_index(
        "ix_free_model_usage_user_id", "free_model_usage", ["user_id"], sqlite_where=named, postgresql_where=named
    )
