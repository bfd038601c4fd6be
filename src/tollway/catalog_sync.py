"""A run of the catalog's sync put together: of a worker, or of `tollway sync`. A part of the composition root."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tollway.admin.sync import CatalogSync
from tollway.catalog.feed.sources import PUBLIC, SITE
from tollway.catalog.preset import Preset
from tollway.clock import utc_now
from tollway.gateway.upstream_port import Failure
from tollway.providers.feeds import are_at_home, gateway_places
from tollway.providers.registry import Upstream, site
from tollway.settings import Settings, SettingsError
from tollway.storage.lock import open_lock
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database
from tollway.storage.sql.snapshots import SqlSnapshots
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.feeds import HttpSources
from tollway.upstream.fetch import fetch

if TYPE_CHECKING:
    from tollway.storage.redis.mirror import RedisMirror

MIRROR_WRITE_S: Final = 2.0
HEARTBEAT_S: Final = 10.0


class SyncParts:
    """What a run needs; of a worker, or of the command. Raises SettingsError."""

    def __init__(
        self,
        settings: Settings,
        preset: Preset,
        database: Database,
        client: HttpUpstreams,
        upstreams: Mapping[str, Upstream],
    ) -> None:
        self._settings = settings
        self._preset = preset
        self._client = client
        self.snapshots = SqlSnapshots(database)
        self.prices = SqlPrices(database)
        self.mirror = _mirror(settings)
        self.gateways = gateway_places(upstreams)
        self.is_on = is_synced(settings, self.gateways)

    def sync(self) -> CatalogSync:
        settings, preset = self._settings, self._preset
        places = {
            **self.gateways,
            SITE: site("catalog.site_url", settings.catalog.site_url, settings, preset),
            PUBLIC: site("catalog.public_url", settings.catalog.public_url, settings, preset),
        }
        for place in places.values():
            self._client.prepare(place)
        return CatalogSync(
            sources=HttpSources(self._client, places),
            snapshots=self.snapshots,
            prices=self.prices,
            mirror=self.mirror,
            lock=open_lock(settings.database_url, "catalog-sync"),
            preset=preset,
            now=utc_now,
        )

    async def beat(self) -> str | None:
        """Tell whoever watches that a run succeeded; what went wrong with that, if anything. Changes no result."""
        url = self._settings.catalog.heartbeat_url
        if not url:
            return None
        place = site("catalog.heartbeat_url", url, self._settings, self._preset)
        before, rest = place.head
        target = before if url.removeprefix(place.origin.scheme).count("/") > 2 else before + b"/"
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                answer = await fetch(self._client, place, target + rest)
        except TimeoutError:
            return "no answer in time"
        return answer.detail if isinstance(answer, Failure) else None

    async def close(self) -> None:
        if self.mirror:
            await self.mirror.close()


def is_synced(settings: Settings, gateways: Mapping[str, Upstream]) -> bool:
    """Whether workers read these gateways' lists by themselves."""
    wanted = settings.catalog.sync
    return bool(gateways) and (wanted == "on" or (wanted == "auto" and are_at_home(gateways.values())))


def _mirror(settings: Settings) -> "RedisMirror | None":
    """None without Redis. Nothing is contacted yet."""
    address = settings.redis_address()
    if not address:
        return None
    from tollway.storage.redis.client import open_client  # lazy: 6 MB that only a deployment with Redis needs
    from tollway.storage.redis.mirror import RedisMirror  # lazy: as above

    try:
        client = open_client(address, MIRROR_WRITE_S)
    except ValueError:
        raise SettingsError("redis_url: is not an address of Redis") from None
    return RedisMirror(client, settings.timeouts.redis_s, MIRROR_WRITE_S)
