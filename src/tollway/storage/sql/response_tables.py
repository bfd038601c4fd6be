"""Tables about answers of upstreams."""

from typing import Final

from sqlalchemy import Column, Table, Text

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import UtcInstant

response_phases: Final = Table(
    "response_phases",
    metadata,
    Column("key", Text, primary_key=True),  # a hash of the user, the task and the message's texts
    Column("created_at", UtcInstant, nullable=False, index=True),
    Column("value", Text, nullable=False),  # the phase, as OpenAI named it
)
