"""SqlSecrets: every sealed column, for those who change master keys."""

from typing import Any, Final

from sqlalchemy import Column, Connection, Select, select, update

from tollway.admin.secrets import Change, StoredSecret
from tollway.identity.owned import Owner, OwnerKind, llm_place, secret_place
from tollway.identity.sealing import Place
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.llm_tables import custom_llms
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams

# A contract test demands every column whose name says that it is sealed.
SEALED: Final[tuple[Column[Any], ...]] = (
    byok_keys.c.sealed_key,
    custom_upstreams.c.sealed_key,
    custom_upstreams.c.sealed_headers,
    custom_llms.c.sealed_key,
)
_COLUMNS: Final = {(str(column.table.name), column.name): column for column in SEALED}


class SqlSecrets(SqlSubject):
    """Implements SecretStore."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        return tuple(_COLUMNS)

    async def secrets(self, table: str, column: str, after: str, limit: int) -> tuple[StoredSecret, ...]:
        sealed = _COLUMNS[table, column]
        id_ = _id_of(sealed)
        query = _select(sealed).where(id_ > after).order_by(id_).limit(limit)
        return await self._database.read(
            lambda connection: tuple(_secret(table, column, row) for row in connection.execute(query).all())
        )

    async def change(self, place: Place, change: Change) -> bool:
        sealed = _COLUMNS[place.table, place.column]
        of, id_ = sealed.table, _id_of(sealed)
        query = _select(sealed).where(id_ == place.row_id).with_for_update()

        def work(connection: Connection) -> bool:
            row = connection.execute(query).first()
            found = None if row is None else _secret(place.table, place.column, row)
            changed = change(found.sealed) if found and found.place == place else None
            if changed is None:
                return False
            connection.execute(update(of).where(id_ == place.row_id).values({sealed.name: changed}))
            return True

        return await self._database.write(work)


def _select(sealed: Column[Any]) -> Select[Any]:
    of = sealed.table
    owner = () if of is custom_llms else (of.c.user_id, of.c.organization_id, of.c.provider_id)
    return select(_id_of(sealed).label("id"), *owner, sealed.label("sealed")).where(sealed.is_not(None))


def _id_of(sealed: Column[Any]) -> Column[Any]:
    (id_,) = sealed.table.primary_key.columns
    return id_


def _secret(table: str, column: str, row: Any) -> StoredSecret:
    if table == custom_llms.name:
        return StoredSecret(llm_place(row.id), row.sealed)
    owner = Owner(OwnerKind.USER, row.user_id) if row.user_id else Owner(OwnerKind.ORGANIZATION, row.organization_id)
    return StoredSecret(secret_place(table, column, row.id, owner, row.provider_id), row.sealed)
