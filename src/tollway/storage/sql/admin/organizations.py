"""Rows of organizations."""

from datetime import datetime
from typing import Any, Final

from msgspec import to_builtins
from sqlalchemy import Connection, bindparam, delete, select, update

from tollway.admin.records import (
    AuditEntry,
    Founder,
    Membership,
    Organization,
    OrganizationChange,
    Page,
)
from tollway.admin.store import AuditOf
from tollway.identity.caller import Role
from tollway.identity.organization import merge_settings, read_settings
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.llm_tables import custom_llm_organizations
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.storage.sql.tables import memberships, organizations, users

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
_OF_USER: Final = (
    select(memberships.c.role, *_COLUMNS)
    .join_from(memberships, organizations, organizations.c.id == memberships.c.organization_id)
    .where(memberships.c.user_id == bindparam("user_id"), organizations.c.deleted_at.is_(None))
    .order_by(organizations.c.created_at.desc(), organizations.c.id)
)
_DELETE: Final = (
    update(organizations)
    .where(organizations.c.id == bindparam("organization"), organizations.c.deleted_at.is_(None))
    .values(deleted_at=bindparam("now"), updated_at=bindparam("now"))
)
_THEIRS: Final = tuple(
    delete(table).where(table.c.organization_id == bindparam("organization"))
    for table in (byok_keys, custom_upstreams, custom_llm_organizations)
)


class SqlOrganizations(SqlSubject):
    async def add_organization(
        self, organization: Organization, founder: Founder | None = None, audit: AuditEntry | None = None
    ) -> bool:
        row = {
            "id": organization.id,
            "name": organization.name,
            "plan": organization.plan,
            "settings": merge_settings({}, to_builtins(organization.settings)),
            "require_seats": organization.require_seats,
            "created_at": organization.created_at,
            "updated_at": organization.created_at,
        }

        def work(connection: Connection) -> bool:
            if founder and _is_full(connection, founder, organization.id):
                return False
            if insert_missing(connection, organizations, row):
                if founder:
                    insert_missing(connection, memberships, _owner_row(organization, founder))
                write_audit(connection, audit)
                note_change(connection, organization.id)
            return True

        return await self._database.write(work)

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
        self, organization_id: str, change: OrganizationChange, now: datetime, audit: AuditOf | None = None
    ) -> Organization | None:
        named: dict[str, Any] = {"name": change.name, "plan": change.plan, "require_seats": change.require_seats}
        changed = {name: value for name, value in named.items() if value is not None}

        def work(connection: Connection) -> Organization | None:
            row = connection.execute(_BY_ID_LOCKED, {"id": organization_id}).first()
            if row is None:
                return None
            values = {**changed, "settings": merge_settings(row.settings, change.settings), "updated_at": now}
            connection.execute(update(organizations).where(organizations.c.id == organization_id).values(values))
            note_change(connection, organization_id)
            after = _organization(connection.execute(_BY_ID, {"id": organization_id}).one())
            write_audit(connection, audit(_organization(row), after) if audit else None)
            return after

        return await self._database.write(work)

    async def list_memberships(self, user_id: str) -> tuple[Membership, ...]:
        return await self._database.read(
            lambda connection: tuple(
                Membership(_organization(row), Role(row.role))
                for row in connection.execute(_OF_USER, {"user_id": user_id}).all()
            )
        )

    async def delete_organization(self, organization_id: str, now: datetime, audit: AuditEntry | None) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(_DELETE, {"organization": organization_id, "now": now}).rowcount:
                for statement in _THEIRS:
                    connection.execute(statement, {"organization": organization_id})
                write_audit(connection, audit)
                note_change(connection, organization_id)

        await self._database.write(work)


def _is_full(connection: Connection, founder: Founder, organization_id: str) -> bool:
    """Whether they belong to as many as one may found; `organization_id`, of an earlier try of ours, does not count."""
    connection.execute(select(users.c.id).where(users.c.id == founder.user_id).with_for_update())  # one after another
    rows = connection.execute(_OF_USER, {"user_id": founder.user_id}).all()
    others = [row for row in rows if row.id != organization_id]
    return len(others) >= founder.organizations_max


def _owner_row(organization: Organization, founder: Founder) -> dict[str, Any]:
    return {
        "id": founder.membership_id,
        "organization_id": organization.id,
        "user_id": founder.user_id,
        "role": Role.OWNER.value,
        "created_at": organization.created_at,
        "updated_at": organization.created_at,
    }


def _organization(row: Any) -> Organization:
    settings = read_settings(row.settings)
    return Organization(row.id, row.name, row.plan, row.created_at, row.require_seats, settings, row.settings)
