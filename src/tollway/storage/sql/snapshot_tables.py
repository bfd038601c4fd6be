"""The table of the catalog's snapshots. Payloads are JSON, kept byte for byte: what is mirrored is compared by hash,
and the order of models means something, which a JSON column would not keep (catalog-and-clients A.6.1)."""

from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, Table

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import UtcInstant

catalog_snapshots: Final = Table(
    "catalog_snapshots",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),  # the highest is the newest
    Column("generated_at", UtcInstant, nullable=False),
    Column("providers", LargeBinary, nullable=False),
    Column("openrouter", LargeBinary),  # NULL: that gateway was not asked
    Column("vercel", LargeBinary),
    sqlite_autoincrement=True,  # an id is never given twice
)
