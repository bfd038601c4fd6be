"""Tables of the management API: invitations, logins of devices, answers that are given once more (E.6, B.12, M10).

Nothing here opens anything: tokens and codes are stored as keyed hashes, answers and who asks for a login sealed.
"""

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, SmallInteger, Table, Text

from tollway.storage.sql.tables import metadata
from tollway.storage.sql.types import SEALED_VALUE, UtcInstant

# One that was revoked has expired. `user_id`: who invites.
invitations: Final = Table(
    "invitations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), index=True),  # NULL: the operator
    Column("email", Text, nullable=False, index=True),  # lower-cased
    Column("role", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("created_at", UtcInstant, nullable=False),
    Column("expires_at", UtcInstant, nullable=False),
    Column("accepted_at", UtcInstant),
    CheckConstraint("role IN ('owner', 'member', 'billing_manager')", name="role"),
    Index("ix_invitations_organization_id_created_at", "organization_id", "created_at"),
)

# A device that waits for its user to say yes. Rows go when they have expired.
device_logins: Final = Table(
    "device_logins",
    metadata,
    Column("code_hash", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), index=True),  # who said yes
    Column("address_hash", Text, nullable=False, index=True),
    Column("requester", Text),  # sealed under the code, until it is decided; NULL as well: a version without it began
    Column("expires_at", UtcInstant, nullable=False, index=True),
    CheckConstraint("status IN ('pending', 'approved', 'denied', 'used')", name="status"),
)

# Answers to requests with an `Idempotency-Key`, kept for a day. Without a status the first is still running.
stored_answers: Final = Table(
    "stored_answers",
    metadata,
    Column("scope", Text, primary_key=True),  # <user>:<organization>:<method> <path>
    Column("key_hash", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("claim", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("status", SmallInteger),
    Column("answer", SEALED_VALUE),
    Column("created_at", UtcInstant, nullable=False, index=True),
    CheckConstraint("(status IS NULL) = (answer IS NULL)", name="answer"),
)
