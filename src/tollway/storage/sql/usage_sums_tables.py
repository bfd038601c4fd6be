"""Tables of what was used per day, which sums of usage are read from: one that tells everything apart, two that do not.

A large organization has thousands of different rows a day in the first, some hundreds in the second, dozens in the
third. What has an id below `deployment.usage_summed_until_ms` is in all of them; `usage_sums.py` keeps it so.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Date, Index, Table, Text

from tollway.storage.sql.tables import metadata

COUNTS: Final = (
    "requests",
    "errors",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cost_microdollars",  # corrections included
)


def _columns(*keys: str) -> Iterator[Column[Any]]:
    """`day` is that of the id, by which spans of time are chosen, `usage_day` the one it counts for; at midnight they
    may differ. No organization and no key are empty texts, because NULLs are never equal in a key."""
    for name in keys:
        yield Column(name, Date if name.endswith("day") else Text, primary_key=True)
    for name in COUNTS:
        yield Column(name, BigInteger, nullable=False)


usage_days: Final = Table(
    "usage_days",
    metadata,
    *_columns("user_id", "day", "organization_id", "key_id", "model", "usage_day"),
    Index("ix_usage_days_organization_id_day", "organization_id", "day"),
    Index("ix_usage_days_organization_id_model_day", "organization_id", "model", "day"),
    sqlite_with_rowid=False,
)

usage_key_days: Final = Table(
    "usage_key_days",
    metadata,
    *_columns("organization_id", "day", "user_id", "key_id", "usage_day"),
    Index("ix_usage_key_days_key_id_day", "key_id", "day"),
    sqlite_with_rowid=False,
)

usage_model_days: Final = Table(
    "usage_model_days",
    metadata,
    *_columns("organization_id", "day", "model", "usage_day"),
    sqlite_with_rowid=False,
)
