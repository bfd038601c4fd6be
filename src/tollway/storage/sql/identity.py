"""SqlIdentity: users, keys and memberships as the gateway reads them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, select

from tollway.identity.caller import Role
from tollway.identity.organization import read_settings
from tollway.identity.owned import Owned, Owner
from tollway.identity.store import Changes, KeyRow, MembershipRow, UserRow
from tollway.money import Microdollars
from tollway.storage.sql.accounting_tables import subscription_items
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity_changes import read_changes, read_revision
from tollway.storage.sql.owned import read_owned
from tollway.storage.sql.tables import (
    api_keys,
    credit_transactions,
    member_limits,
    memberships,
    organizations,
    users,
)

HAS_PAID: Final = (  # what a subscription credits makes nobody a returning payer (request-path 9.4)
    exists()
    .where(
        credit_transactions.c.user_id == users.c.id,
        credit_transactions.c.is_free.is_(False),
        credit_transactions.c.amount_microdollars > 0,
        ~exists().where(subscription_items.c.credit_transaction_id == credit_transactions.c.id),
    )
    .label("has_paid")
)
USER_COLUMNS: Final = (users.c.id, users.c.email, users.c.pepper, users.c.blocked_reason, HAS_PAID)
KEY_COLUMNS: Final = (
    api_keys.c.id,
    api_keys.c.secret_hash,
    api_keys.c.user_id,
    api_keys.c.organization_id,
    api_keys.c.label,
    api_keys.c.last_four,
    api_keys.c.limit_microdollars,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    api_keys.c.created_at,
    api_keys.c.model_allow_list,
)
_USER: Final = select(*USER_COLUMNS).where(users.c.id == bindparam("user_id"))
_KEY: Final = (
    select(*KEY_COLUMNS, *USER_COLUMNS)
    .join_from(api_keys, users, users.c.id == api_keys.c.user_id)
    .where(api_keys.c.secret_hash == bindparam("secret_hash"))
)
_MEMBERSHIP: Final = (
    select(
        memberships.c.organization_id,
        memberships.c.user_id,
        memberships.c.role,
        member_limits.c.limit_microdollars,
        organizations.c.plan,
        organizations.c.settings,
        organizations.c.require_seats,
    )
    .join_from(memberships, organizations, organizations.c.id == memberships.c.organization_id)
    .outerjoin(
        member_limits,
        and_(
            member_limits.c.organization_id == memberships.c.organization_id,
            member_limits.c.user_id == memberships.c.user_id,
            member_limits.c.limit_type == "daily",
        ),
    )
    .where(
        memberships.c.organization_id == bindparam("organization_id"),
        memberships.c.user_id == bindparam("user_id"),
        organizations.c.deleted_at.is_(None),
    )
)


def key_row(values: Sequence[Any]) -> KeyRow:
    """The values of KEY_COLUMNS as a KeyRow."""
    return KeyRow(*values)


class SqlIdentity:
    """Implements IdentityStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def user(self, user_id: str) -> UserRow | None:
        row = await self._first(_USER, user_id=user_id)
        return None if row is None else _user_row(row)

    async def key_by_hash(self, secret_hash: str) -> tuple[KeyRow, UserRow] | None:
        """The key, expired and revoked ones included, and its user, blocked ones included: the caller judges."""
        row = await self._first(_KEY, secret_hash=secret_hash)
        if row is None:
            return None
        split = len(KEY_COLUMNS)
        return key_row(row[:split]), _user_row(row[split:])

    async def membership(self, organization_id: str, user_id: str) -> MembershipRow | None:
        """Raises ValueError when the organization's settings cannot be read: nobody acts for it then."""
        row = await self._first(_MEMBERSHIP, organization_id=organization_id, user_id=user_id)
        if row is None:
            return None
        limit = None if row.limit_microdollars is None else Microdollars(row.limit_microdollars)
        return MembershipRow(
            row.organization_id,
            row.user_id,
            Role(row.role),
            limit,
            row.plan,
            read_settings(row.settings),
            row.require_seats,
        )

    async def owned(self, owner: Owner) -> Owned:
        return await self._database.read(lambda connection: read_owned(connection, owner))

    async def revision(self) -> int:
        """A number that grows with every change."""
        return await self._database.read(read_revision, is_patient=True)

    async def changes(self, since: int | None) -> Changes:
        return await self._database.read(lambda connection: read_changes(connection, since), is_patient=True)

    async def _first(self, statement: Select[Any], **values: str) -> Row[Any] | None:
        def work(connection: Connection) -> Row[Any] | None:
            return connection.execute(statement, values).first()

        return await self._database.read(work)


def _user_row(values: Sequence[Any]) -> UserRow:
    return UserRow(*values)
