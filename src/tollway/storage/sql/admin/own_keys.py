"""Rows of byok_keys, as administration reads and changes them: the sealed key itself only where it is tried."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Delete, Update, delete, select, update

from tollway.admin.records import AuditEntry, StoredOwnKey
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.sealing import Sealed
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.own_tables import byok_keys

_COLUMNS: Final[Mapping[OwnerKind, str]] = {OwnerKind.USER: "user_id", OwnerKind.ORGANIZATION: "organization_id"}
_SHOWN: Final = select(
    byok_keys.c.id,
    byok_keys.c.provider_id,
    byok_keys.c.last_four,
    byok_keys.c.is_enabled,
    byok_keys.c.created_at,
    byok_keys.c.updated_at,
    byok_keys.c.created_by,
).order_by(byok_keys.c.created_at, byok_keys.c.id)


class SqlOwnKeys(SqlSubject):
    async def list_own_keys(self, owner: Owner) -> tuple[StoredOwnKey, ...]:
        statement = _SHOWN.where(_is_of(owner))
        return await self._database.read(
            lambda connection: tuple(_key(owner, row) for row in connection.execute(statement).all())
        )

    async def sealed_own_key(self, owner: Owner, key_id: str) -> Sealed | None:
        statement = select(byok_keys.c.sealed_key).where(_is_of(owner), byok_keys.c.id == key_id)
        return await self._database.read(lambda connection: connection.execute(statement).scalar())

    async def add_own_key(self, row: StoredOwnKey, sealed: Sealed, audit: AuditEntry | None) -> bool:
        values = {
            "id": row.id,
            _COLUMNS[row.owner.kind]: row.owner.id,
            "provider_id": row.provider_id,
            "sealed_key": sealed,
            "last_four": row.last_four,
            "is_enabled": row.is_enabled,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "created_by": row.created_by,
        }

        def work(connection: Connection) -> bool:
            if not insert_missing(connection, byok_keys, values):
                return _find(connection, row.owner, row.id) is not None  # an earlier try of ours
            write_audit(connection, audit)
            note_change(connection, row.owner.id)
            return True

        return await self._database.write(work)

    async def replace_own_key(
        self, owner: Owner, key_id: str, sealed: Sealed, last_four: str, now: datetime, audit: AuditEntry | None
    ) -> StoredOwnKey | None:
        change = _update(owner, key_id).values(sealed_key=sealed, last_four=last_four, updated_at=now)
        return await self._change(owner, key_id, change, audit)

    async def enable_own_key(
        self, owner: Owner, key_id: str, enabled: bool, now: datetime, audit: AuditEntry | None
    ) -> StoredOwnKey | None:
        change = _update(owner, key_id).values(is_enabled=enabled, updated_at=now)
        return await self._change(owner, key_id, change, audit)

    async def delete_own_key(self, owner: Owner, key_id: str, audit: AuditEntry | None) -> bool:
        change = delete(byok_keys).where(_is_of(owner), byok_keys.c.id == key_id)
        tries = 0

        def work(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            return _make(connection, owner, change, audit) or tries > 1  # an earlier try of ours

        return await self._database.write(work)

    async def _change(self, owner: Owner, key_id: str, change: Update, audit: AuditEntry | None) -> StoredOwnKey | None:
        def work(connection: Connection) -> StoredOwnKey | None:
            return _find(connection, owner, key_id) if _make(connection, owner, change, audit) else None

        return await self._database.write(work)


def _make(connection: Connection, owner: Owner, change: Update | Delete, audit: AuditEntry | None) -> bool:
    """Whether there was something to change."""
    if connection.execute(change).rowcount != 1:
        return False
    write_audit(connection, audit)
    note_change(connection, owner.id)
    return True


def _find(connection: Connection, owner: Owner, key_id: str) -> StoredOwnKey | None:
    row = connection.execute(_SHOWN.where(_is_of(owner), byok_keys.c.id == key_id)).first()
    return None if row is None else _key(owner, row)


def _is_of(owner: Owner) -> Any:
    return byok_keys.c[_COLUMNS[owner.kind]] == owner.id


def _update(owner: Owner, key_id: str) -> Update:
    return update(byok_keys).where(_is_of(owner), byok_keys.c.id == key_id)


def _key(owner: Owner, row: Any) -> StoredOwnKey:
    id_, *rest = row
    return StoredOwnKey(id_, owner, *rest)
