"""Rows of audit_log."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, select

from tollway.admin.records import EVERY_ENTRY, SOFT_DELETED, AuditEntry, AuditFilter, Page
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.audit_tables import audit_log
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import users

_IS_KNOWN: Final = users.c.blocked_reason.is_(None) | ~users.c.blocked_reason.startswith(SOFT_DELETED)
_LISTED: Final = (
    select(
        audit_log.c.id,
        audit_log.c.organization_id,
        audit_log.c.actor,
        audit_log.c.action,
        audit_log.c.message,
        audit_log.c.created_at,
        users.c.email,
        users.c.name,
    )
    .outerjoin_from(audit_log, users, and_(users.c.id == audit_log.c.actor, _IS_KNOWN))
    .where(audit_log.c.organization_id == bindparam("organization_id"))
)


def write_audit(connection: Connection, entry: AuditEntry | None) -> None:
    """In the transaction of the change that it tells of."""
    if entry is None:
        return
    row = {
        "id": entry.id,
        "organization_id": entry.organization_id,
        "actor": entry.actor,
        "action": entry.action,
        "message": entry.message,
        "created_at": entry.created_at,
    }
    insert_missing(connection, audit_log, row)


class SqlAudit(SqlSubject):
    async def list_audit(
        self, organization_id: str, page: Page, wanted: AuditFilter = EVERY_ENTRY
    ) -> tuple[AuditEntry, ...]:
        statement = newest_first(_LISTED.where(*_conditions(wanted)), audit_log, page)
        values = {"organization_id": organization_id}
        return await self._database.read(
            lambda connection: tuple(AuditEntry(*row) for row in connection.execute(statement, values).all())
        )


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield audit_log.c.created_at >= wanted.since
    if wanted.until is not None:
        yield audit_log.c.created_at < wanted.until
    if wanted.actor is not None:
        yield audit_log.c.actor == wanted.actor
    if wanted.action is not None:
        yield audit_log.c.action == wanted.action
