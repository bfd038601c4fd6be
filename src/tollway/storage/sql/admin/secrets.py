"""SqlSecrets: every sealed column, for those who change master keys, and the master keys that were here."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, func, select, true, tuple_, update

from tollway.admin.master_keys import REFERENCE, KnownKey, StoredSecret, StoredUses
from tollway.admin.secrets import Change
from tollway.identity.owned import Owner, OwnerKind, llm_place, secret_place
from tollway.identity.sealing import Place, Sealed
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.llm_tables import custom_llms
from tollway.storage.sql.management_tables import stored_answers
from tollway.storage.sql.master_key_tables import master_keys
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams


@dataclass(frozen=True, slots=True)
class _SealedColumn:
    """`parts`: the columns a place is made of, and how; `key`: those that find the row, with their values."""

    column: Column[Any]
    parts: tuple[Column[Any], ...]
    place: Callable[..., Place]
    key: Callable[[Place], dict[str, str]]

    @property
    def name(self) -> tuple[str, str]:
        return str(self.column.table.name), self.column.name

    def at(self, place: Place) -> ColumnElement[bool]:
        of = self.column.table.c
        return and_(*(of[name] == value for name, value in self.key(place).items()))

    def after(self, place: Place | None) -> Select[Any]:
        """All that are there, by key."""
        names = self.column.table.primary_key.columns.keys()
        of = tuple(self.column.table.c[name] for name in names)
        found = select(*self.parts, self.column.label("sealed")).where(self.column.is_not(None)).order_by(*of)
        if place is None:
            return found
        values = self.key(place)
        return found.where(tuple_(*of) > tuple_(*(values[name] for name in names)))

    def secret(self, row: Any) -> StoredSecret:
        *parts, sealed = row
        return StoredSecret(self.place(*parts), sealed)


def _owned(column: Column[Any]) -> _SealedColumn:
    """Of a table whose rows are a user's or an organization's."""
    table, name = str(column.table.name), column.name

    def place(id_: str, user_id: str | None, organization_id: str, provider_id: str) -> Place:
        owner = Owner(OwnerKind.USER, user_id) if user_id else Owner(OwnerKind.ORGANIZATION, organization_id)
        return secret_place(table, name, id_, owner, provider_id)

    of = column.table.c
    parts = (of.id, of.user_id, of.organization_id, of.provider_id)
    return _SealedColumn(column, parts, place, lambda place: {"id": place.row_id})


def _answer_place(key_hash: str, user_id: str, scope: str) -> Place:
    return secret_place(
        str(stored_answers.name), stored_answers.c.answer.name, key_hash, Owner(OwnerKind.USER, user_id), scope
    )


_ANSWERS: Final = (stored_answers.c.key_hash, stored_answers.c.user_id, stored_answers.c.scope)

# A contract test demands that each JSON column is here, or is named as one that holds no secret.
SEALED: Final = {
    one.name: one
    for one in (
        _owned(byok_keys.c.sealed_key),
        _owned(custom_upstreams.c.sealed_key),
        _owned(custom_upstreams.c.sealed_headers),
        _SealedColumn(
            custom_llms.c.sealed_key, (custom_llms.c.public_id,), llm_place, lambda place: {"public_id": place.row_id}
        ),
        _SealedColumn(
            stored_answers.c.answer,
            _ANSWERS,
            _answer_place,
            lambda place: {"scope": place.provider_id, "key_hash": place.row_id},
        ),
    )
}
_KNOWN: Final = select(master_keys.c.key_id, master_keys.c.check_value, master_keys.c.is_abandoned)


class SqlSecrets(SqlSubject):
    """Implements SecretStore and MasterKeyStore."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        return tuple(SEALED)

    async def secrets(self, table: str, column: str, after: Place | None, limit: int) -> tuple[StoredSecret, ...]:
        sealed = SEALED[table, column]
        query = sealed.after(after).limit(limit)
        return await self._database.read(
            lambda connection: tuple(sealed.secret(row) for row in connection.execute(query).all())
        )

    async def change(self, place: Place, change: Change) -> bool:
        sealed = SEALED[place.table, place.column]
        query = sealed.after(None).where(sealed.at(place)).with_for_update()

        def work(connection: Connection) -> bool:
            row = connection.execute(query).first()
            found = None if row is None else sealed.secret(row)
            changed = change(found.sealed) if found and found.place == place else None
            if changed is None:
                return False
            values = {sealed.column.name: changed}
            connection.execute(update(sealed.column.table).where(sealed.at(place)).values(values))
            return True

        return await self._database.write(work)

    async def uses(self) -> StoredUses:
        queries = [self._counts(one.column) for one in SEALED.values()]

        def work(connection: Connection) -> StoredUses:
            counted: Counter[str] = Counter()
            for query in queries:
                counted.update({row.name: row.secrets for row in connection.execute(query)})
            known = {row.key_id: KnownKey(row.check_value, row.is_abandoned) for row in connection.execute(_KNOWN)}
            return StoredUses(counted, known)

        return await self._database.read_snapshot(work)

    async def sealed_under(self, key_id: str, limit: int) -> tuple[StoredSecret, ...]:
        queries = [
            (one, one.after(None).where(self._name(one.column) == key_id).limit(limit)) for one in SEALED.values()
        ]
        return await self._database.read(
            lambda connection: tuple(
                one.secret(row) for one, query in queries for row in connection.execute(query).all()
            )
        )

    async def keep_check(self, key_id: str, check: Sealed, now: datetime) -> None:
        await self._put(key_id, now, check_value=check, is_abandoned=False)

    async def abandon(self, key_id: str, now: datetime) -> None:
        await self._put(key_id, now, is_abandoned=True)

    async def _put(self, key_id: str, now: datetime, **values: object) -> None:
        row = {"key_id": key_id, "created_at": now, **values}
        change = update(master_keys).where(master_keys.c.key_id == key_id).values(**values)

        def work(connection: Connection) -> None:
            if not insert_missing(connection, master_keys, row):
                connection.execute(change)

        await self._database.write(work)

    def _counts(self, column: Column[Any]) -> Select[str, int]:
        name = self._name(column).label("name")
        return select(name, func.count().label("secrets")).where(column.is_not(None)).group_by(name)

    def _name(self, column: Column[Any]) -> ColumnElement[str]:
        """Of the key that a secret needs; "" where it names none and is not of the reference's form either."""
        key_id = func.nullif(column["key_id"].as_string(), "")
        is_taken_over = and_(column["version"].as_string().is_(None), column["iv"].as_string().is_not(None))
        name = func.coalesce(key_id, case((is_taken_over, REFERENCE), else_=""))
        return case((self._is_json(column), name), else_="")

    def _is_json(self, column: Column[Any]) -> ColumnElement[bool]:
        """SQLite keeps text, which may be damaged; what is no JSON ends a query that looks into it."""
        return func.json_valid(column) == 1 if self._database.dialect == "sqlite" else true()
