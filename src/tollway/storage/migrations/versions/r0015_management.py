"""The management API: administrators, invitations, logins of devices, answers that are given once more."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tollway.storage.sql.types import UtcInstant

revision: Final = "0015_management"
down_revision: Final = "0014_request_log"

_JSON: Final = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("users", sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_usage_user_id_id", "usage", ["user_id", "id"])
    op.create_index(
        "ix_usage_organization_id_id",
        "usage",
        ["organization_id", "id"],
        sqlite_where=sa.text("organization_id IS NOT NULL"),
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )
    _add_invitations()
    op.create_table(
        "device_logins",
        sa.Column("code_hash", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("address_hash", sa.Text, nullable=False),
        sa.Column("expires_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_device_logins"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_device_logins_user_id", ondelete="CASCADE"),
        sa.CheckConstraint("status IN ('pending', 'approved', 'denied', 'used')", name="ck_device_logins_status"),
    )
    for column in ("user_id", "address_hash", "expires_at"):
        op.create_index(f"ix_device_logins_{column}", "device_logins", [column])
    op.create_table(
        "stored_answers",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("key_hash", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("claim", sa.Text, nullable=False),
        sa.Column("body_hash", sa.Text, nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("answer", _JSON),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key_hash", name="pk_stored_answers"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_stored_answers_user_id", ondelete="CASCADE"),
        sa.CheckConstraint("(status IS NULL) = (answer IS NULL)", name="ck_stored_answers_answer"),
    )
    for column in ("user_id", "created_at"):
        op.create_index(f"ix_stored_answers_{column}", "stored_answers", [column])


def _add_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.Column("expires_at", UtcInstant, nullable=False),
        sa.Column("accepted_at", UtcInstant),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_invitations_organization_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_invitations_user_id", ondelete="CASCADE"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
        sa.CheckConstraint("role IN ('owner', 'member', 'billing_manager')", name="ck_invitations_role"),
    )
    for column in ("user_id", "email"):
        op.create_index(f"ix_invitations_{column}", "invitations", [column])
    op.create_index("ix_invitations_organization_id_created_at", "invitations", ["organization_id", "created_at"])
