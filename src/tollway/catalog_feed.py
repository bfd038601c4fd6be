"""The catalog put together: what is sold, what is listed, and the sync that keeps both up to date.

A part of the composition root (`app.py`), shared with `tollway sync`: settings → adapters → jobs.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from tollway.admin.model_page import ModelPages
from tollway.admin.snapshot_reading import SnapshotReader, Synced
from tollway.admin.sync import SyncResult
from tollway.admin.sync_schedule import Schedule
from tollway.billing.store import StoreUnavailableError
from tollway.catalog.assemble import assemble_catalog
from tollway.catalog.classification import Classification
from tollway.catalog.defaults import (
    Defaults,
    Restricted,
    defaults_for_all,
    defaults_of_user,
    defaults_within,
)
from tollway.catalog.listing import Known, Listing, list_models
from tollway.catalog.model import Price
from tollway.catalog.preset import Preset
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.catalog.store import PriceRow
from tollway.catalog_sync import SyncParts
from tollway.clock import monotonic, unix_seconds, utc_now
from tollway.gateway.services import nobody
from tollway.http.background import Every
from tollway.http.callers import Callers
from tollway.http.catalog import CatalogServices, Page, page
from tollway.http.catalog_details import DetailServices
from tollway.http.cron import CronServices
from tollway.identity.caller import NO_LIST, Caller
from tollway.identity.policy import policy_of
from tollway.kept_secret import secret_text
from tollway.observability.logs import get_log
from tollway.observability.metrics import CatalogMetrics
from tollway.providers.feeds import fed_providers
from tollway.providers.registry import Upstream
from tollway.settings import Settings
from tollway.storage.lock import open_lock
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.assigned_llms import SqlAssignedLlms
from tollway.storage.sql.database import Database
from tollway.storage.sql.offered import SqlOffered
from tollway.upstream.client import HttpUpstreams

REBUILD_S: Final = 600.0  # prices come into force and new models grow old without anybody writing anything
DUE_S: Final = 1.0  # how often a worker asks whether the next run is due


_log = get_log()


class CatalogFeed:
    """Of one worker. What is sold and what is listed are replaced whole by `refresh`, which comes before serving."""

    def __init__(
        self,
        settings: Settings,
        preset: Preset,
        database: Database,
        client: HttpUpstreams,
        upstreams: Mapping[str, Upstream],
        metrics: CatalogMetrics,
        catalog: CatalogSnapshot,
    ) -> None:
        """`catalog`: the one to begin with. Raises SettingsError."""
        self._settings = settings
        self._preset = preset
        self._database = database
        self._upstreams = upstreams
        self._metrics = metrics
        self.classification = Classification(preset)
        self._parts = SyncParts(settings, preset, database, client, upstreams)
        self._reader = SnapshotReader(self._parts.snapshots, self._parts.mirror, monotonic, metrics.mirror_misses.inc)
        self._catalog = catalog
        self._built_from: tuple[int | None, int] | None = None
        self._built_at = float("-inf")
        self._refreshing = asyncio.Lock()
        self._listing = Listing(())
        offered = SqlOffered(database) if settings.custom_upstreams.enabled else None
        self._pages = ModelPages(
            lambda: self._listing, self.classification, offered, self.serving, SqlAssignedLlms(database)
        )
        self._public: Page | None = None
        self._ids: frozenset[str] = frozenset()
        self._schedule: Schedule | None = None
        if self._parts.is_on:
            self._schedule = Schedule(
                interval_s=settings.catalog.interval_s,
                stale_s=settings.catalog.stale_s,
                lock=open_lock(settings.database_url, "catalog-schedule"),
                newest_at=self._parts.snapshots.newest_at,
                run=self._run_quietly,
                now=utc_now,
                monotonic=monotonic,
                on_stale=lambda age_s: _log.error("catalog_is_stale", age_s=round(age_s)),
            )
        metrics.age.set_function(self._age_s)

    def catalog(self) -> CatalogSnapshot:
        """What requests are served from now."""
        return self._catalog

    async def price_of(self, version: str) -> Price | None:
        """In force or not. Raises StoreUnavailableError."""
        row = await self._parts.prices.find(version)
        return row.price if row else None

    @property
    def serving(self) -> Callable[[str], frozenset[str]]:
        """Model → inference providers whose namespaces allow it (catalog-and-clients B.7.3)."""
        return self._reader.serving if self._settings.catalog.allow_by_provider else nobody

    def pages(self, callers: Callers) -> CatalogServices:
        return CatalogServices(
            public=lambda: self._public,
            own=self._pages.own,
            callers=callers,
            synced=self._reader.read,
        )

    def details(self, callers: Callers) -> DetailServices:
        is_free = self._is_free
        return DetailServices(
            callers=callers,
            synced=self._reader.read,
            exists=self._exists,
            of_everybody=lambda: defaults_for_all(self._preset, is_free),
            of_caller=self._defaults_of_caller,
            of_organization=self._defaults_of_organization,
        )

    async def _defaults_of_caller(self, caller: Caller) -> Defaults | None:
        if caller.organization_id:  # of the key, for none was named
            return await self._defaults_of_organization(caller.organization_id, caller.key_models)
        theirs = defaults_of_user(self._preset, self._is_free, caller.user_id)
        if not caller.key_models:
            return theirs
        chosen = theirs.defaultModel if theirs else ""
        return self._defaults_within(
            sorted(caller.key_models), chosen, partial(self._pages.admits, None, caller.key_models)
        )

    async def _defaults_of_organization(
        self, organization_id: str, of_key: frozenset[str] = NO_LIST
    ) -> Defaults | None:
        found = await SqlAdmin(self._database).find_organizations(organization_id)
        if not found:
            return None
        settings, policy = found[0].settings, policy_of(found[0].plan, found[0].settings)
        named = settings.model_allow_list if policy and policy.allowed_models else ()
        return self._defaults_within(
            sorted(of_key) or named, settings.default_model or "", partial(self._pages.admits, policy, of_key)
        )

    def _defaults_within(self, named: Sequence[str], chosen: str, admits: Callable[[str], bool]) -> Defaults | None:
        listed = [one.id for one in self._listing.entries if not one.targets]
        synced = self._reader.latest
        indexed = synced.index if synced else ()
        restricted = Restricted(named, chosen, admits)
        return defaults_within(restricted, self._preset, self._is_free, self._exists, indexed, listed)

    def _exists(self, model_id: str) -> bool:
        """Of a catalog that nothing is known of, everything is believed (catalog-and-clients A.6.3)."""
        return self._reader.latest is None or model_id in self._ids

    def _is_free(self, model_id: str) -> bool:
        return self.classification.kind_of(model_id).is_free

    def cron(self) -> CronServices | None:
        """None: there is no sync here."""
        wanted = self._settings.catalog
        secret = secret_text("catalog.cron_secret", wanted.cron_secret, wanted.cron_secret_file)
        return CronServices(secret.encode() if secret else None, self._run) if self._parts.is_on else None

    def start(self, every: Every) -> None:
        every(self._settings.catalog.poll_s, "catalog", self.refresh)
        if self._schedule:
            every(DUE_S, "catalog_sync", self._schedule.run_if_due)

    async def stop(self) -> None:
        """Once the jobs have ended."""
        if self._schedule:
            await self._schedule.lock.release()
        await self._parts.close()

    async def refresh(self) -> None:
        """Take a newer snapshot and new prices, if there are any. Raises StoreUnavailableError; all stays then.

        One at a time: of two, one that began before a run ended would put the old state back when it ends.
        """
        async with self._refreshing:
            await self._refresh()

    async def _refresh(self) -> None:
        await self._reader.refresh()
        synced = self._reader.latest
        source = (synced.stored.id if synced else None, await self._parts.prices.revision())
        if source == self._built_from and monotonic() - self._built_at < REBUILD_S:
            return
        now = utc_now()
        rows = await self._parts.prices.in_force(now)
        catalog = await asyncio.to_thread(self._assembled, rows, now, synced)
        listing = await asyncio.to_thread(self._list, catalog, synced)
        self._take(catalog, listing, synced)
        self._built_from, self._built_at = source, monotonic()

    def _assembled(self, rows: Iterable[PriceRow], now: datetime, synced: Synced | None) -> CatalogSnapshot:
        unpriced = synced.unpriced if synced else frozenset[str]()
        return assemble_catalog(self._settings, rows, now, self._preset.hosted_models, unpriced)

    def _list(self, catalog: CatalogSnapshot, synced: Synced | None) -> Listing:
        known = Known(
            served=tuple(catalog.served_by(self._upstreams).models.values()),
            feed=synced.payloads.openrouter if synced else None,
            fed=fed_providers(self._upstreams),
            hosted_at=self._upstreams,
            training=synced.training if synced else (),
        )
        return list_models(known, self._preset, self.classification.kind_of, int(unix_seconds()))

    def _take(self, catalog: CatalogSnapshot, listing: Listing, synced: Synced | None) -> None:
        self._catalog, self._listing = catalog, listing
        self._ids = frozenset(one.id for one in listing.entries)
        is_nothing = synced is None and not listing.entries
        self._public = None if is_nothing else page(listing.page())
        self._metrics.models.set(len(listing.entries))
        self._metrics.left_out.set(listing.left_out)
        if listing.left_out:
            _log.warning("catalog_entries_left_out", count=listing.left_out)
        if synced:
            self._metrics.snapshot.set(synced.stored.id)
            self._metrics.providers.set(synced.payloads.providers.total_providers)

    async def _run_quietly(self) -> None:
        await self._run()

    async def _run(self) -> SyncResult:
        """One run, and what it changed taken up at once."""
        result = await self._parts.sync().run(lambda what: _log.info("catalog_sync", step=what))
        self._count(result)
        if result.outcome == "stored":
            try:
                await self.refresh()
            except StoreUnavailableError as error:  # the next refresh takes it
                _log.warning("catalog_refresh_failed", error=error)
            if (why := await self._parts.beat()) is not None:
                _log.warning("catalog_heartbeat_failed", why=why)
        return result

    def _count(self, result: SyncResult) -> None:
        self._metrics.runs.labels(outcome=result.outcome).inc()
        for reason, count in result.dropped.items():
            self._metrics.dropped.labels(reason=reason).inc(count)
        if result.dropped_ids:
            _log.warning("catalog_entries_dropped", ids=list(result.dropped_ids[:100]))
        if result.is_mirrored and result.snapshot_id:
            self._metrics.mirrored.set(result.snapshot_id)
        if result.is_mirrored is False:
            self._metrics.mirror_failures.inc()
            _log.warning("catalog_mirror_failed", snapshot=result.snapshot_id)
        if result.outcome == "failed":
            _log.error("catalog_sync_failed", reasons=list(result.reasons))
        if result.outcome == "held":
            _log.error("catalog_sync_held", reasons=list(result.reasons), accept="tollway sync --accept")

    def _age_s(self) -> float:
        synced = self._reader.latest
        return (utc_now() - synced.stored.generated_at).total_seconds() if synced else 0.0
