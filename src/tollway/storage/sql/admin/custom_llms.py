"""Rows of custom_llms and whom they are assigned to, as administration reads and changes them: never the key itself."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, select, update

from tollway.admin.llm_records import CustomLlm, DecideLlm, LlmFields
from tollway.admin.records import AuditEntry, Page
from tollway.errors import Problem
from tollway.identity.sealing import Sealed
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.llm_tables import custom_llm_organizations, custom_llms

_FIELDS: Final = tuple(field.name for field in fields(LlmFields))
_SHOWN: Final = select(
    *(custom_llms.c[name] for name in _FIELDS),
    custom_llms.c.public_id,
    custom_llms.c.last_four,
    custom_llms.c.created_at,
    custom_llms.c.updated_at,
    custom_llms.c.is_guarded,
)
_assigned: Final = custom_llm_organizations.c
_ASSIGNED: Final = select(_assigned.public_id, _assigned.organization_id).order_by(_assigned.organization_id)


class SqlLlms(SqlSubject):
    """Implements LlmStore."""

    async def list_llms(self, page: Page) -> tuple[CustomLlm, ...]:
        statement = newest_first(_SHOWN, custom_llms, page, "public_id")
        return await self._database.read(lambda connection: _llms(connection, statement))

    async def find_llm(self, public_id: str) -> CustomLlm | None:
        return await self._database.read(lambda connection: _llm(connection, public_id))

    async def find_llm_key(self, public_id: str) -> Sealed | None:
        key = select(custom_llms.c.sealed_key).where(custom_llms.c.public_id == public_id)
        return await self._database.read(lambda connection: connection.execute(key).scalar())

    async def add_llm(self, row: CustomLlm, sealed: Sealed, audits: tuple[AuditEntry, ...] = ()) -> bool:
        values = {**_values(row), "public_id": row.public_id, "sealed_key": sealed, "created_at": row.created_at}

        tries = 0

        def work(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            if not insert_missing(connection, custom_llms, values):
                return tries > 1 and _llm(connection, row.public_id) == row  # an earlier try of ours
            _reassign(connection, row.public_id, (), row.organizations)
            _write(connection, audits)
            return True

        return await self._database.write(work)

    async def change_llm(self, public_id: str, decide: DecideLlm) -> CustomLlm | Problem | None:
        def work(connection: Connection) -> CustomLlm | Problem | None:
            before = _llm(connection, public_id, for_update=True)
            if before is None:
                return None
            decided = decide(before)
            if isinstance(decided, Problem):
                return decided
            after, key = decided.row, {} if decided.sealed is None else {"sealed_key": decided.sealed}
            which = custom_llms.c.public_id == public_id
            connection.execute(update(custom_llms).where(which).values({**_values(after), **key}))
            _reassign(connection, public_id, before.organizations, after.organizations)
            _write(connection, decided.audits)
            return after

        return await self._database.write(work)

    async def remove_llm(self, public_id: str, audit: Callable[[str], AuditEntry]) -> CustomLlm | None:
        earlier: list[CustomLlm] = []  # tries of ours whose commit may have been made

        def work(connection: Connection) -> CustomLlm | None:
            found = _llm(connection, public_id, for_update=True)
            if found is None:
                return earlier[-1] if earlier else None
            connection.execute(delete(custom_llms).where(custom_llms.c.public_id == public_id))
            _write(connection, map(audit, found.organizations))
            earlier.append(found)
            return found

        return await self._database.write(work)

    async def assign_llm(self, public_id: str, organization_id: str, assigned: bool, audit: AuditEntry) -> None:
        row = {"public_id": public_id, "organization_id": organization_id}

        def work(connection: Connection) -> None:
            change = _assign if assigned else _unassign
            if change(connection, row):
                _write(connection, (audit,))

        await self._database.write(work)


def _assign(connection: Connection, row: dict[str, str]) -> bool:
    return insert_missing(connection, custom_llm_organizations, row)


def _unassign(connection: Connection, row: dict[str, str]) -> bool:
    change = delete(custom_llm_organizations).where(
        _assigned.public_id == row["public_id"], _assigned.organization_id == row["organization_id"]
    )
    return connection.execute(change).rowcount == 1


def _values(row: CustomLlm) -> dict[str, Any]:
    """What may change, but for the key."""
    told = {name: getattr(row.fields, name) for name in _FIELDS}
    return {**told, "last_four": row.last_four, "updated_at": row.updated_at, "is_guarded": row.is_guarded}


def _write(connection: Connection, audits: Iterable[AuditEntry]) -> None:
    for audit in audits:
        write_audit(connection, audit)
    note_change(connection)  # whom it was assigned to, and is now


def _reassign(connection: Connection, public_id: str, before: Iterable[str], after: Iterable[str]) -> None:
    old, new = set(before), set(after)
    for change, ids in ((_unassign, old - new), (_assign, new - old)):
        for organization_id in sorted(ids):
            change(connection, {"public_id": public_id, "organization_id": organization_id})


def _llm(connection: Connection, public_id: str, *, for_update: bool = False) -> CustomLlm | None:
    statement = _SHOWN.where(custom_llms.c.public_id == public_id)
    return next(iter(_llms(connection, statement.with_for_update() if for_update else statement)), None)


def _llms(connection: Connection, statement: Select[Any]) -> tuple[CustomLlm, ...]:
    rows = connection.execute(statement).all()
    organizations: dict[str, list[str]] = {row.public_id: [] for row in rows}
    for id_, organization_id in connection.execute(_ASSIGNED.where(_assigned.public_id.in_(organizations))):
        organizations[id_].append(organization_id)
    found = []
    for row in rows:
        told, (id_, last_four, created_at, updated_at, is_guarded) = row[: len(_FIELDS)], row[len(_FIELDS) :]
        of = tuple(organizations[id_])
        found.append(CustomLlm(id_, LlmFields(*told), last_four, of, created_at, updated_at, is_guarded))
    return tuple(found)
