"""The table of requests and answers that an operator has kept (response-path 10.2)."""

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, Text

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import JSON_VALUE, UtcInstant

request_log: Final = Table(
    "request_log",
    metadata,
    Column("id", Text, primary_key=True),  # the request's
    Column("created_at", UtcInstant, nullable=False, index=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("organization_id", Text),
    Column("provider_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("request", JSON_VALUE, nullable=False),  # secrets masked
    Column("response", Text, nullable=False),
    Index("ix_request_log_organization_id_created_at", "organization_id", "created_at"),
)
