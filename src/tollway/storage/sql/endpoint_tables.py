"""The table of inference providers by model, as the second gateway lists them (request-path 8.2.1)."""

from typing import Final

from sqlalchemy import Column, Table, Text

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import TextList

model_endpoints: Final = Table(
    "model_endpoints",
    metadata,
    Column("model_id", Text, primary_key=True),  # the id there, lower-case
    Column("tags", TextList, nullable=False),  # of its endpoints, in the gateway's order
)
