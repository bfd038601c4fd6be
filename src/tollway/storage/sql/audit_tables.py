"""The table of who changed what of an organization (request-path 8.2.11, 12.10.4)."""

from typing import Final

from sqlalchemy import Column, Index, Table, Text

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import UtcInstant

# No foreign keys: an entry outlives what it tells of. `actor` is a user's id, or `operator`; nobody's address is here.
audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Index("ix_audit_log_organization_id_created_at", "organization_id", "created_at"),
)
