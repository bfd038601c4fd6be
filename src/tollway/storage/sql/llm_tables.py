"""Tables of custom LLMs: models that the operator has somewhere, and the organizations that are given them.

Source: request-path 8.3, response-path 5.1. Keys are sealed (`identity/sealing.py`).
"""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Integer, Table, Text, false

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import SEALED_VALUE, TextList, UtcInstant

custom_llms: Final = Table(
    "custom_llms",
    metadata,
    Column("public_id", Text, primary_key=True),  # what callers ask for, lower-cased
    Column("display_name", Text, nullable=False),
    Column("vendor", Text, nullable=False),  # whose API it speaks: anthropic, openai
    Column("base_url", Text, nullable=False),  # without a slash at its end
    Column("sealed_key", SEALED_VALUE, nullable=False),
    Column("last_four", Text, nullable=False),  # of the key; "" of a short one
    Column("internal_id", Text, nullable=False),  # what the vendor calls it
    Column("context_length", Integer, nullable=False),
    Column("completion_tokens_max", Integer, nullable=False),  # 0: as the vendor has it
    Column("verbosity", Text),
    Column("reasoning_effort", Text),
    Column("included_tools", TextList),  # NULL: not said
    Column("excluded_tools", TextList),
    Column("supports_image_input", Boolean, nullable=False, server_default=false()),
    Column("force_reasoning", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    Column("is_guarded", Boolean, nullable=False, server_default=false()),  # others than the operator say where it is
    CheckConstraint("public_id = lower(public_id)", name="public_id"),
)

custom_llm_organizations: Final = Table(
    "custom_llm_organizations",
    metadata,
    Column("public_id", Text, ForeignKey("custom_llms.public_id", ondelete="CASCADE"), primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True, index=True),
)
