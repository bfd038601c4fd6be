"""Rows of organizations, memberships and member limits."""

from datetime import datetime
from typing import Any, Final

from msgspec import to_builtins
from sqlalchemy import Connection, and_, bindparam, delete, select, update

from tollway.admin.records import Member, Organization, OrganizationChange, Page
from tollway.admin.store import Removal
from tollway.identity.caller import Role
from tollway.identity.organization import merge_settings, read_settings
from tollway.storage.sql.admin.rows import SqlSubject, bump_identity, newest_first
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import member_limits, memberships, organizations, users

DAILY: Final = "daily"

_COLUMNS: Final = (
    organizations.c.id,
    organizations.c.name,
    organizations.c.plan,
    organizations.c.created_at,
    organizations.c.require_seats,
    organizations.c.settings,
)
_LISTED: Final = select(*_COLUMNS).where(organizations.c.deleted_at.is_(None))
_BY_ID: Final = _LISTED.where(organizations.c.id == bindparam("id"))
_BY_NAME: Final = _LISTED.where(organizations.c.name == bindparam("name")).order_by(organizations.c.id)
_BY_ID_LOCKED: Final = _BY_ID.with_for_update()
_LOCK: Final = select(organizations.c.id).where(organizations.c.id == bindparam("id")).with_for_update()
_MEMBERS: Final = (
    select(
        memberships.c.organization_id,
        memberships.c.user_id,
        users.c.email,
        memberships.c.role,
        member_limits.c.limit_microdollars,
    )
    .join_from(memberships, users, users.c.id == memberships.c.user_id)
    .outerjoin(
        member_limits,
        and_(
            member_limits.c.organization_id == memberships.c.organization_id,
            member_limits.c.user_id == memberships.c.user_id,
            member_limits.c.limit_type == DAILY,
        ),
    )
    .where(memberships.c.organization_id == bindparam("id"))
    .order_by(users.c.email)
)
_MEMBERSHIP_ID: Final = select(memberships.c.id).where(
    memberships.c.organization_id == bindparam("organization_id"), memberships.c.user_id == bindparam("user_id")
)
_REMOVE: Final = delete(memberships).where(
    memberships.c.organization_id == bindparam("organization_id"), memberships.c.user_id == bindparam("user_id")
)
_LIFT: Final = delete(member_limits).where(
    member_limits.c.organization_id == bindparam("organization_id"), member_limits.c.user_id == bindparam("user_id")
)


class SqlOrganizations(SqlSubject):
    async def add_organization(self, organization: Organization) -> None:
        row = {
            "id": organization.id,
            "name": organization.name,
            "plan": organization.plan,
            "settings": merge_settings({}, to_builtins(organization.settings)),
            "require_seats": organization.require_seats,
            "created_at": organization.created_at,
            "updated_at": organization.created_at,
        }

        def work(connection: Connection) -> None:
            insert_missing(connection, organizations, row)
            bump_identity(connection)

        await self._database.write(work)

    async def find_organizations(self, id_or_name: str) -> tuple[Organization, ...]:
        def work(connection: Connection) -> tuple[Organization, ...]:
            by_id = connection.execute(_BY_ID, {"id": id_or_name}).all()
            rows = by_id or connection.execute(_BY_NAME, {"name": id_or_name}).all()
            return tuple(_organization(row) for row in rows)

        return await self._database.read(work)

    async def list_organizations(self, page: Page) -> tuple[Organization, ...]:
        statement = newest_first(_LISTED, organizations, page)
        return await self._database.read(
            lambda connection: tuple(_organization(row) for row in connection.execute(statement).all())
        )

    async def change_organization(
        self, organization_id: str, change: OrganizationChange, now: datetime
    ) -> Organization | None:
        named: dict[str, Any] = {"plan": change.plan, "require_seats": change.require_seats}
        changed = {name: value for name, value in named.items() if value is not None}

        def work(connection: Connection) -> Organization | None:
            row = connection.execute(_BY_ID_LOCKED, {"id": organization_id}).first()
            if row is None:
                return None
            values = {**changed, "settings": merge_settings(row.settings, change.settings), "updated_at": now}
            connection.execute(update(organizations).where(organizations.c.id == organization_id).values(values))
            bump_identity(connection)
            return _organization(connection.execute(_BY_ID, {"id": organization_id}).one())

        return await self._database.write(work)

    async def add_member(self, member: Member, membership_id: str, now: datetime) -> bool:
        row = {
            "id": membership_id,
            "organization_id": member.organization_id,
            "user_id": member.user_id,
            "role": member.role.value,
            "created_at": now,
            "updated_at": now,
        }
        who = {"organization_id": member.organization_id, "user_id": member.user_id}

        def work(connection: Connection) -> bool:
            if insert_missing(connection, memberships, row):
                bump_identity(connection)
                return True
            return connection.execute(_MEMBERSHIP_ID, who).scalar() == membership_id  # an earlier try of ours

        return await self._database.write(work)

    async def list_members(self, organization_id: str) -> tuple[Member, ...]:
        return await self._database.read(lambda connection: _members(connection, organization_id))

    async def remove_member(self, organization_id: str, user_id: str) -> Removal:
        who = {"organization_id": organization_id, "user_id": user_id}

        def work(connection: Connection) -> Removal:
            connection.execute(_LOCK, {"id": organization_id})  # two owners must not remove each other at once
            roles = {member.user_id: member.role for member in _members(connection, organization_id)}
            if user_id not in roles:
                return Removal.NO_MEMBER
            if roles[user_id] is Role.OWNER and list(roles.values()).count(Role.OWNER) == 1:
                return Removal.LAST_OWNER
            connection.execute(_LIFT, who)
            connection.execute(_REMOVE, who)
            bump_identity(connection)
            return Removal.DONE

        return await self._database.write(work)

    async def set_daily_limit(self, member: Member, limit_id: str) -> None:
        who = {"organization_id": member.organization_id, "user_id": member.user_id}
        row = {"id": limit_id, "limit_type": DAILY, "limit_microdollars": member.daily_limit_microdollars, **who}

        def work(connection: Connection) -> None:
            connection.execute(_LOCK, {"id": member.organization_id})
            connection.execute(_LIFT, who)
            is_member = connection.execute(_MEMBERSHIP_ID, who).first() is not None
            if is_member and member.daily_limit_microdollars is not None:
                insert_missing(connection, member_limits, row)
            bump_identity(connection)

        await self._database.write(work)


def _organization(row: Any) -> Organization:
    return Organization(row.id, row.name, row.plan, row.created_at, row.require_seats, read_settings(row.settings))


def _members(connection: Connection, organization_id: str) -> tuple[Member, ...]:
    rows = connection.execute(_MEMBERS, {"id": organization_id}).all()
    return tuple(Member(row.organization_id, row.user_id, row.email, Role(row.role), row[-1]) for row in rows)
