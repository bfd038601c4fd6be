"""SqlSnapshots: the newest snapshots of the catalog, each put in with the prices and endpoints that follow from it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select

from tollway.catalog.feed.payloads import Texts
from tollway.catalog.store import NewSnapshot, StoredSnapshot
from tollway.storage.sql.catalog import add_prices
from tollway.storage.sql.database import Database
from tollway.storage.sql.endpoints import put_endpoints
from tollway.storage.sql.snapshot_tables import catalog_snapshots

KEPT: Final = 3

_ROWS: Final = catalog_snapshots.c
_NEWEST_ID: Final = select(func.max(_ROWS.id))
_NEWEST_AT: Final = select(_ROWS.generated_at).order_by(_ROWS.id.desc()).limit(1)
_NEWEST_KEY: Final = select(_ROWS.id, _ROWS.generated_at).order_by(_ROWS.id.desc()).limit(1)
_SNAPSHOTS: Final = select(_ROWS.id, _ROWS.generated_at, _ROWS.providers, _ROWS.openrouter, _ROWS.vercel).order_by(
    _ROWS.id.desc()
)
_NEWEST: Final = _SNAPSHOTS.limit(1)
_PREVIOUS: Final = _SNAPSHOTS.limit(1).offset(1)
_OLDER: Final = delete(catalog_snapshots).where(
    _ROWS.id.not_in(select(_ROWS.id).order_by(_ROWS.id.desc()).limit(KEPT).scalar_subquery())
)


class SqlSnapshots:
    """Implements SnapshotStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest_id(self) -> int | None:
        return await self._database.read(lambda connection: connection.execute(_NEWEST_ID).scalar_one())

    async def newest_at(self) -> datetime | None:
        """When the newest was stored."""
        return await self._database.read(lambda connection: connection.execute(_NEWEST_AT).scalar_one_or_none())

    async def newest(self) -> StoredSnapshot | None:
        return await self._database.read(lambda connection: _snapshot(connection.execute(_NEWEST).first()))

    async def previous(self) -> StoredSnapshot | None:
        return await self._database.read(lambda connection: _snapshot(connection.execute(_PREVIOUS).first()))

    async def put(self, new: NewSnapshot) -> int:
        """All of it in one transaction. Its id, which is the highest."""
        row = {
            "generated_at": new.generated_at,
            "providers": new.texts.providers,
            "openrouter": new.texts.openrouter,
            "vercel": new.texts.vercel,
        }

        def work(connection: Connection) -> int:
            newest = connection.execute(_NEWEST_KEY).first()
            if newest and newest.generated_at == new.generated_at:  # it was committed, and nobody was told
                return int(newest.id)
            made = connection.execute(insert(catalog_snapshots).returning(_ROWS.id), row).scalar_one()
            connection.execute(_OLDER)
            add_prices(connection, new.prices)
            if new.endpoints is not None:
                put_endpoints(connection, new.endpoints)
            return int(made)

        return await self._database.write(work)


def _snapshot(row: Sequence[Any] | None) -> StoredSnapshot | None:
    if row is None:
        return None
    id_, generated_at, *texts = row
    providers, openrouter, vercel = (None if text is None else bytes(text) for text in texts)
    return StoredSnapshot(id_, generated_at, Texts(providers or b"", openrouter, vercel))
