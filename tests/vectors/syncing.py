"""A deployment without a network around one run of the sync: stand-in sources, a database and a mirror of its own."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from servers.feeds import FakeSources, Feeds
from tollway.admin.sync import CatalogSync, SyncResult
from tollway.catalog.preset import Preset
from tollway.catalog.store import Mirror
from tollway.storage.lock import open_lock
from tollway.storage.migrations.run import migrate
from tollway.storage.presets import load_preset
from tollway.storage.redis.client import open_client
from tollway.storage.redis.mirror import RedisMirror
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.snapshot_tables import catalog_snapshots
from tollway.storage.sql.snapshots import SqlSnapshots

KILO = load_preset("kilo")
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Deployment:
    """`told` is what the runs said; the clock goes on by a minute whenever it is looked at."""

    def __init__(
        self, folder: Path, feeds: Feeds | None = None, *gateways: str, redis: str = "", url: str = ""
    ) -> None:
        self.feeds = feeds or Feeds()
        self.gateways = gateways
        self.redis = redis
        self.preset: Preset = KILO
        self.url = url or f"sqlite:///{folder}/tollway.db"
        if not url:
            migrate(self.url)
        self.told: list[str] = []
        self._now = START

    def now(self) -> datetime:
        self._now += timedelta(minutes=1)
        return self._now

    def open_mirror(self) -> RedisMirror | None:
        return RedisMirror(open_client(self.redis, 2.0), 0.25, 2.0) if self.redis else None

    def sync(self, database: Database, mirror: Mirror | None) -> CatalogSync:
        return CatalogSync(
            sources=FakeSources(self.feeds, *self.gateways),
            snapshots=SqlSnapshots(database),
            prices=SqlPrices(database),
            mirror=mirror,
            lock=open_lock(self.url, "catalog-sync"),
            preset=self.preset,
            now=self.now,
        )

    async def run_in(self, database: Database, *, accept: bool = False) -> SyncResult:
        mirror = self.open_mirror()
        try:
            return await self.sync(database, mirror).run(self.told.append, accept=accept)
        finally:
            if mirror:
                await mirror.close()

    def run(self, *, accept: bool = False) -> SyncResult:
        return self.work(lambda database: self.run_in(database, accept=accept))

    def work(self, work: Any) -> Any:
        """Run `work(database)` to its end in a loop of its own."""

        async def inside() -> Any:
            database = open_database(self.url, pool_size=2)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(inside())

    def rows(self) -> list[int]:
        """Ids of the stored snapshots."""
        ids = select(catalog_snapshots.c.id).order_by(catalog_snapshots.c.id)
        return self.work(lambda database: database.read(lambda connection: list(connection.execute(ids).scalars())))

    def stored(self) -> Any:
        """The newest snapshot."""
        return self.work(lambda database: SqlSnapshots(database).newest())
