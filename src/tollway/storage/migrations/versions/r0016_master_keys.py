"""Which master keys stored secrets were sealed under: those of today are found in the rows (guarantees §8)."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.clock import utc_now
from tollway.storage.sql.types import UtcInstant

revision: Final = "0016_master_keys"
down_revision: Final = "0015_service_accounts"

_JSON: Final = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_SEALED: Final = (
    ("byok_keys", "sealed_key"),
    ("custom_upstreams", "sealed_key"),
    ("custom_upstreams", "sealed_headers"),
    ("custom_llms", "sealed_key"),
    ("stored_answers", "answer"),
)


def upgrade() -> None:
    made = op.create_table(
        "master_keys",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("check_value", _JSON),
        sa.Column("is_abandoned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_master_keys"),
    )
    now = utc_now()
    found = sorted(set[str]().union(*(_named_in(table, column) for table, column in _SEALED)))
    op.bulk_insert(made, [{"key_id": key_id, "created_at": now} for key_id in found])


def _named_in(table: str, column: str) -> set[str]:
    sealed = sa.column(column, _JSON)
    key_id = sealed["key_id"].as_string()
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":  # text that is damaged would end the migration
        key_id = sa.case((sa.func.json_valid(sealed), key_id))
    rows = connection.execute(sa.select(key_id).distinct().select_from(sa.table(table, sealed)))
    return {row[0] for row in rows if row[0]}
