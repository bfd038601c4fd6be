"""Tables of what users and organizations bring along: keys for inference providers, endpoints (request-path 8.2, 12.1).

Every row has exactly one owner. Secrets are sealed (`identity/sealing.py`).
"""

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import JSON_VALUE, SEALED_VALUE, TextList, UtcInstant

ONE_OWNER: Final = "(user_id IS NULL) <> (organization_id IS NULL)"


def _id() -> Column[str]:
    return Column("id", Text, primary_key=True)


def _owner() -> tuple[Column[str], Column[str]]:
    return (
        Column("organization_id", Text, ForeignKey("organizations.id", ondelete="CASCADE")),
        Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE")),
    )


byok_keys: Final = Table(
    "byok_keys",
    metadata,
    _id(),
    *_owner(),
    Column("provider_id", Text, nullable=False),  # lower-cased
    Column("sealed_key", SEALED_VALUE, nullable=False),
    Column("last_four", Text, nullable=False),  # of the secret; "" of a short one
    Column("is_enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("organization_id", "provider_id"),
    UniqueConstraint("user_id", "provider_id"),
    CheckConstraint(ONE_OWNER, name="owner"),
)

custom_upstreams: Final = Table(
    "custom_upstreams",
    metadata,
    _id(),
    *_owner(),
    Column("provider_id", Text, nullable=False, index=True),
    Column("display_name", Text, nullable=False),
    Column("base_url", Text, nullable=False),  # without a slash at its end
    Column("sealed_key", SEALED_VALUE),  # NULL: it was cleared when the address changed
    Column("last_four", Text, nullable=False),
    Column("sealed_headers", SEALED_VALUE),
    Column("header_names", TextList, nullable=False),  # of the sealed ones, for those who manage them
    Column("model_metadata", JSON_VALUE, nullable=False),
    Column("is_enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("organization_id", "provider_id"),
    UniqueConstraint("user_id", "provider_id"),
    CheckConstraint(ONE_OWNER, name="owner"),
    CheckConstraint("provider_id = lower(provider_id)", name="provider_id"),
    CheckConstraint("sealed_key IS NOT NULL OR NOT is_enabled", name="sealed_key"),
)
