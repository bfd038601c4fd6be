"""Rows of invitations."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, select, update

from tollway.admin.records import AuditEntry, Invitation, Member, Page, User
from tollway.admin.store import Inviting
from tollway.identity.caller import Role
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.management_tables import invitations
from tollway.storage.sql.tables import memberships, organizations, users

_COLUMNS: Final = (
    invitations.c.id,
    invitations.c.organization_id,
    invitations.c.email,
    invitations.c.role,
    invitations.c.user_id,
    invitations.c.created_at,
    invitations.c.expires_at,
    invitations.c.accepted_at,
)
_LISTED: Final = select(*_COLUMNS).where(invitations.c.organization_id == bindparam("organization"))
_IS_PENDING: Final = (invitations.c.accepted_at.is_(None), invitations.c.expires_at > bindparam("now"))
_PENDING: Final = _LISTED.where(*_IS_PENDING, invitations.c.email == bindparam("email"))
_ONE: Final = _LISTED.where(*_IS_PENDING, invitations.c.id == bindparam("id")).with_for_update()
_END: Final = update(invitations).where(invitations.c.id == bindparam("which")).values(expires_at=bindparam("now"))
_LOCK: Final = (
    select(organizations.c.id)
    .where(organizations.c.id == bindparam("organization"), organizations.c.deleted_at.is_(None))
    .with_for_update()
)
_IS_MEMBER: Final = (
    select(memberships.c.id)
    .join_from(memberships, users, users.c.id == memberships.c.user_id)
    .where(memberships.c.organization_id == bindparam("organization"), users.c.email == bindparam("email"))
)
_ACCEPTED: Final = (
    update(invitations)
    .where(
        invitations.c.token_hash == bindparam("hash"),
        invitations.c.email == bindparam("address"),
        *_IS_PENDING,
        exists().where(organizations.c.id == invitations.c.organization_id, organizations.c.deleted_at.is_(None)),
    )
    .values(accepted_at=bindparam("now"))
    .returning(*_COLUMNS)
)


class SqlInvitations(SqlSubject):
    async def add_invitation(self, invitation: Invitation, token_hash: str, audit: AuditEntry | None) -> Inviting:
        row = {
            "id": invitation.id,
            "organization_id": invitation.organization_id,
            "user_id": invitation.invited_by,
            "email": invitation.email,
            "role": invitation.role.value,
            "token_hash": token_hash,
            "created_at": invitation.created_at,
            "expires_at": invitation.expires_at,
        }
        who = {"organization": invitation.organization_id, "email": invitation.email, "now": invitation.created_at}

        def work(connection: Connection) -> Inviting:
            connection.execute(_LOCK, who)
            pending = connection.execute(_PENDING, who).first()
            if pending is not None:
                return Inviting.DONE if pending.id == invitation.id else Inviting.PENDING  # an earlier try of ours
            if connection.execute(_IS_MEMBER, who).first() is not None:
                return Inviting.MEMBER
            insert_missing(connection, invitations, row)
            write_audit(connection, audit)
            return Inviting.DONE

        return await self._database.write(work)

    async def list_invitations(self, organization_id: str, page: Page) -> tuple[Invitation, ...]:
        statement = newest_first(_LISTED, invitations, page)
        return await self._database.read(
            lambda connection: tuple(
                _invitation(row) for row in connection.execute(statement, {"organization": organization_id}).all()
            )
        )

    async def revoke_invitation(
        self, organization_id: str, invitation_id: str, now: datetime, audit: Callable[[Invitation], AuditEntry]
    ) -> Invitation | None:
        which = {"organization": organization_id, "id": invitation_id, "now": now}

        def work(connection: Connection) -> Invitation | None:
            row = connection.execute(_ONE, which).first()
            if row is None:
                return None
            found = _invitation(row)
            connection.execute(_END, {"which": found.id, "now": now})
            write_audit(connection, audit(found))
            return found

        return await self._database.write(work)

    async def accept_invitation(
        self,
        token_hash: str,
        user: User,
        membership_id: str,
        now: datetime,
        audit: Callable[[Invitation], AuditEntry],
    ) -> Member | None:
        earlier: list[Member] = []  # tries of ours whose commit may have been made

        def work(connection: Connection) -> Member | None:
            row = connection.execute(_ACCEPTED, {"hash": token_hash, "address": user.email, "now": now}).first()
            if row is None:
                return earlier[-1] if earlier else None
            found = _invitation(row)
            is_new = insert_missing(connection, memberships, _membership(found, user, membership_id, now))
            if is_new:
                write_audit(connection, audit(found))
                note_change(connection, user.id)
            earlier.append(Member(found.organization_id, user.id, user.email, found.role, None, user.is_bot))
            return earlier[-1]

        return await self._database.write(work)


def _membership(found: Invitation, user: User, membership_id: str, now: datetime) -> dict[str, Any]:
    return {
        "id": membership_id,
        "organization_id": found.organization_id,
        "user_id": user.id,
        "role": found.role.value,
        "created_at": now,
        "updated_at": now,
    }


def _invitation(row: Any) -> Invitation:
    id_, organization_id, email, role, *rest = row
    return Invitation(id_, organization_id, email, Role(role), *rest)
