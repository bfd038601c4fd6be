"""Rows of memberships and member limits."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from tollway.admin.records import AuditEntry, Member
from tollway.admin.store import Removal
from tollway.identity.caller import Role
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import member_limits, memberships, organizations, users

DAILY: Final = "daily"

_LOCK: Final = select(organizations.c.id).where(organizations.c.id == bindparam("id")).with_for_update()
_MEMBERS: Final = (
    select(
        memberships.c.organization_id,
        memberships.c.user_id,
        users.c.email,
        memberships.c.role,
        member_limits.c.limit_microdollars,
        users.c.is_bot,
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
_CHANGE_ROLE: Final = (
    update(memberships)
    .where(
        memberships.c.organization_id == bindparam("organization"),
        memberships.c.user_id == bindparam("user"),
        memberships.c.role == bindparam("old"),
    )
    .values(role=bindparam("new"), updated_at=bindparam("now"))
)


class SqlMembers(SqlSubject):
    async def add_member(
        self, member: Member, membership_id: str, now: datetime, audit: AuditEntry | None = None
    ) -> bool:
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
                write_audit(connection, audit)
                note_change(connection, member.user_id)
                return True
            return connection.execute(_MEMBERSHIP_ID, who).scalar() == membership_id  # an earlier try of ours

        return await self._database.write(work)

    async def list_members(self, organization_id: str) -> tuple[Member, ...]:
        return await self._database.read(lambda connection: _members(connection, organization_id))

    async def remove_member(
        self, organization_id: str, user_id: str, role: Role | None = None, audit: AuditEntry | None = None
    ) -> Removal:
        who = {"organization_id": organization_id, "user_id": user_id}
        tries = 0

        def work(connection: Connection) -> Removal:
            nonlocal tries
            tries += 1
            roles = _locked_roles(connection, organization_id)
            if user_id not in roles:
                return Removal.NO_MEMBER if tries == 1 else Removal.DONE  # an earlier try of ours
            if role is not None and roles[user_id] is not role:
                return Removal.CHANGED
            if _is_last_owner(roles, user_id):
                return Removal.LAST_OWNER
            connection.execute(_LIFT, who)
            connection.execute(_REMOVE, who)
            write_audit(connection, audit)
            note_change(connection, user_id)
            return Removal.DONE

        return await self._database.write(work)

    async def change_role(self, member: Member, role: Role, now: datetime, audit: AuditEntry | None) -> Removal:
        values = {"organization": member.organization_id, "user": member.user_id, "old": member.role.value}

        def work(connection: Connection) -> Removal:
            roles = _locked_roles(connection, member.organization_id)
            if roles.get(member.user_id) is role:
                return Removal.DONE  # an earlier try of ours, or somebody else's
            if role is not Role.OWNER and _is_last_owner(roles, member.user_id):
                return Removal.LAST_OWNER
            if connection.execute(_CHANGE_ROLE, {**values, "new": role.value, "now": now}).rowcount != 1:
                return Removal.CHANGED if member.user_id in roles else Removal.NO_MEMBER
            write_audit(connection, audit)
            note_change(connection, member.user_id)
            return Removal.DONE

        return await self._database.write(work)

    async def set_daily_limit(self, member: Member, limit_id: str, audit: AuditEntry | None = None) -> None:
        who = {"organization_id": member.organization_id, "user_id": member.user_id}
        row = {"id": limit_id, "limit_type": DAILY, "limit_microdollars": member.daily_limit_microdollars, **who}

        def work(connection: Connection) -> None:
            connection.execute(_LOCK, {"id": member.organization_id})
            connection.execute(_LIFT, who)
            is_member = connection.execute(_MEMBERSHIP_ID, who).first() is not None
            if is_member and member.daily_limit_microdollars is not None:
                insert_missing(connection, member_limits, row)
            if is_member:
                write_audit(connection, audit)
            note_change(connection, member.user_id)

        await self._database.write(work)


def _locked_roles(connection: Connection, organization_id: str) -> dict[str, Role]:
    """By user; until the transaction ends they stay so: two owners must not remove each other at once."""
    connection.execute(_LOCK, {"id": organization_id})
    return {member.user_id: member.role for member in _members(connection, organization_id)}


def _is_last_owner(roles: dict[str, Role], user_id: str) -> bool:
    return roles.get(user_id) is Role.OWNER and list(roles.values()).count(Role.OWNER) == 1


def _members(connection: Connection, organization_id: str) -> tuple[Member, ...]:
    rows = connection.execute(_MEMBERS, {"id": organization_id}).all()
    return tuple(
        Member(organization_id, user_id, email, Role(role), limit, is_bot)
        for organization_id, user_id, email, role, limit, is_bot in rows
    )
