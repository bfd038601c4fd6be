"""Rows of custom_llms and whom they are assigned to, as administration reads and changes them: never the key itself."""

from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.records import AuditEntry
from tollway.identity.sealing import Sealed
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject, bump_identity
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.llm_tables import custom_llm_organizations, custom_llms

_FIELDS: Final = tuple(field.name for field in fields(LlmFields))
_SHOWN: Final = select(
    *(custom_llms.c[name] for name in _FIELDS),
    custom_llms.c.public_id,
    custom_llms.c.last_four,
    custom_llms.c.created_at,
    custom_llms.c.updated_at,
).order_by(custom_llms.c.public_id)
_ASSIGNED: Final = select(custom_llm_organizations.c.public_id, custom_llm_organizations.c.organization_id).order_by(
    custom_llm_organizations.c.organization_id
)


class SqlLlms(SqlSubject):
    """Implements LlmStore."""

    async def list_llms(self) -> tuple[CustomLlm, ...]:
        return await self._database.read(lambda connection: _llms(connection, None))

    async def find_llm(self, public_id: str) -> CustomLlm | None:
        found = await self._database.read(lambda connection: _llms(connection, public_id))
        return found[0] if found else None

    async def add_llm(self, row: CustomLlm, sealed: Sealed) -> bool:
        values = {**_values(row), "public_id": row.public_id, "sealed_key": sealed, "created_at": row.created_at}

        tries = 0

        def work(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            if not insert_missing(connection, custom_llms, values):
                return tries > 1 and _llms(connection, row.public_id) == (row,)  # an earlier try of ours
            bump_identity(connection)
            return True

        return await self._database.write(work)

    async def change_llm(self, row: CustomLlm, sealed: Sealed | None) -> bool:
        key = {} if sealed is None else {"sealed_key": sealed}
        change = update(custom_llms).where(custom_llms.c.public_id == row.public_id).values({**_values(row), **key})

        def work(connection: Connection) -> bool:
            if connection.execute(change).rowcount != 1:
                return False
            bump_identity(connection)
            return True

        return await self._database.write(work)

    async def remove_llm(self, public_id: str, audits: tuple[AuditEntry, ...]) -> bool:
        tries = 0

        def work(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            if connection.execute(delete(custom_llms).where(custom_llms.c.public_id == public_id)).rowcount != 1:
                return tries > 1  # an earlier try of ours
            for audit in audits:
                write_audit(connection, audit)
            bump_identity(connection)
            return True

        return await self._database.write(work)

    async def assign_llm(self, public_id: str, organization_id: str, assigned: bool, audit: AuditEntry) -> None:
        row = {"public_id": public_id, "organization_id": organization_id}

        def work(connection: Connection) -> None:
            change = _assign if assigned else _unassign
            if change(connection, row):
                write_audit(connection, audit)
                bump_identity(connection)

        await self._database.write(work)


def _assign(connection: Connection, row: dict[str, str]) -> bool:
    return insert_missing(connection, custom_llm_organizations, row)


def _unassign(connection: Connection, row: dict[str, str]) -> bool:
    assigned = custom_llm_organizations.c
    change = delete(custom_llm_organizations).where(
        assigned.public_id == row["public_id"], assigned.organization_id == row["organization_id"]
    )
    return connection.execute(change).rowcount == 1


def _values(row: CustomLlm) -> dict[str, Any]:
    """What may change, but for the key."""
    told = {name: getattr(row.fields, name) for name in _FIELDS}
    return {**told, "last_four": row.last_four, "updated_at": row.updated_at}


def _llms(connection: Connection, public_id: str | None) -> tuple[CustomLlm, ...]:
    """That one, or all."""
    shown, assigned = _SHOWN, _ASSIGNED
    if public_id is not None:
        shown = shown.where(custom_llms.c.public_id == public_id)
        assigned = assigned.where(custom_llm_organizations.c.public_id == public_id)
    organizations: dict[str, list[str]] = {}
    for id_, organization_id in connection.execute(assigned):
        organizations.setdefault(id_, []).append(organization_id)
    found = []
    for row in connection.execute(shown).all():
        told, rest = row[: len(_FIELDS)], row[len(_FIELDS) :]
        id_, last_four, created_at, updated_at = rest
        of = tuple(organizations.get(id_, ()))
        found.append(CustomLlm(id_, LlmFields(*told), last_four, of, created_at, updated_at))
    return tuple(found)
