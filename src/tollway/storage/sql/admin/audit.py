"""Rows of audit_log."""

from typing import Final

from sqlalchemy import Connection, bindparam, select

from tollway.admin.records import AuditEntry, Page
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.audit_tables import audit_log
from tollway.storage.sql.insertion import insert_missing

_LISTED: Final = select(
    audit_log.c.id,
    audit_log.c.organization_id,
    audit_log.c.actor,
    audit_log.c.action,
    audit_log.c.message,
    audit_log.c.created_at,
).where(audit_log.c.organization_id == bindparam("organization_id"))


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
    async def list_audit(self, organization_id: str, page: Page) -> tuple[AuditEntry, ...]:
        statement, values = newest_first(_LISTED, audit_log, page), {"organization_id": organization_id}
        return await self._database.read(
            lambda connection: tuple(AuditEntry(*row) for row in connection.execute(statement, values).all())
        )
