"""The table of master keys that stored secrets were sealed under: by it a key that is missing is told from a damaged
row, and a wrong key from a right one (guarantees §8). No key is in it.
"""

from typing import Final

from sqlalchemy import Boolean, Column, Table, Text, false

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import JSON_VALUE, UtcInstant

master_keys: Final = Table(
    "master_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("check_value", JSON_VALUE),  # sealed under it; NULL: no process that has the key has been here yet
    Column("is_abandoned", Boolean, nullable=False, server_default=false()),  # lost: what needs it is not waited for
    Column("created_at", UtcInstant, nullable=False),
)
