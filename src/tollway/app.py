"""Composition root: settings → adapters → a worker that serves. It and the files beside it name concrete adapters."""

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tollway.billing.notices import top_up_rules
from tollway.billing.slices import Slices
from tollway.billing.store import StoreUnavailableError
from tollway.bookkeeping import Bookkeeping
from tollway.catalog.assemble import assemble_catalog
from tollway.catalog.preset import Preset
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.catalog_feed import CatalogFeed
from tollway.clock import monotonic, steady, unix_seconds, utc_now
from tollway.deadlines import Deadlines
from tollway.gateway.context import Contexts
from tollway.gateway.dialects import dialects_of
from tollway.gateway.exchange import Exchange, Inbound
from tollway.gateway.free_use import FreeUses
from tollway.gateway.funds import HEED_S, REPORT_S, Funds
from tollway.gateway.logins import Logins
from tollway.gateway.money_metrics import show_money
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.origins import Origins
from tollway.gateway.pipeline import handle
from tollway.gateway.replay import replay
from tollway.gateway.services import Client, Services
from tollway.gateway.settlement import Settlement
from tollway.gateway.slots import Slots
from tollway.gateway.stored_candidates import READ_ENDPOINTS_S, StoredCandidates
from tollway.gateway.timekeeping import LOOK_S, Timekeeper
from tollway.http.api import ApiServices, build_api
from tollway.http.background import Background
from tollway.http.client_address import ClientAddresses
from tollway.http.guard import Guard
from tollway.http.server import WorkerServer
from tollway.identity.authenticator import Authenticator, rules_of
from tollway.identity.outbound import outbound_rules
from tollway.identity.promotions import read_promotions
from tollway.ids import new_id, new_request_id
from tollway.management import Management
from tollway.observability.logs import RequestLog, get_log
from tollway.observability.metrics import Metrics
from tollway.operations import Operations
from tollway.overload import Overload
from tollway.oversight import Oversight
from tollway.providers.custom_llm import hosted_upstreams
from tollway.providers.registry import configured
from tollway.providers.rulebook import Rulebook
from tollway.providers.user_hashes import UserHashes
from tollway.routing.auto_model import auto_models
from tollway.routing.breaker import Breakers
from tollway.routing.fallback import RetryBudget
from tollway.routing.precedence import precedence_of
from tollway.routing.split import TrafficSplit
from tollway.settings import Settings
from tollway.storage.journal.dead import damaged_in, dead, set_aside_in
from tollway.storage.journal.folders import create
from tollway.storage.journal.writer import JournalWriter
from tollway.storage.presets import load_preset
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.claims import SqlClaims
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.database_clock import clock_of
from tollway.storage.sql.endpoints import SqlEndpoints
from tollway.storage.sql.free_use import SqlFreeUse
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.phases import phase_memory
from tollway.storage.windows import open_windows
from tollway.upstream.client import HttpUpstreams

LOG_FLUSH_S: Final = 0.5
SETTLE_S: Final = 0.1
SWEEP_S: Final = 1.0
NOTE_PROGRESS_S: Final = 0.5
PROBE_JOURNAL_S: Final = 1.0
REPLAY_S: Final = 5.0
JOURNALS: Final = "journal"  # folder below state_dir

_log = get_log()


class Worker:
    """One serving process, put together. `run` returns after the drain."""

    def __init__(self, settings: Settings, preset: Preset, database: Database, catalog: CatalogSnapshot) -> None:
        """Raises SettingsError when a provider or the preset is configured wrongly, JournalUnavailableError."""
        self._settings, self._database = settings, database
        self._background, self._identity, self._slices = Background(), SqlIdentity(database), Slices()
        metrics, deadlines = Metrics(), Deadlines()
        self._log = RequestLog(sys.stderr.buffer.write, metrics.dropped_log_lines.inc)
        self._journals, self._worker_id = settings.state_dir / JOURNALS, new_id()
        calls = deadlines, settings.limits, settings.timeouts, outbound_rules(settings)
        self._client = HttpUpstreams(*calls, on_full=metrics.bounds.reject)
        self._overload = Overload(settings, metrics, self._client)
        parts = settings, preset, database, self._client
        self._operations = Operations(*parts, metrics)
        self._books = self._operations.books(top_up_rules(settings.notices))
        self._journal = JournalWriter(create(self._journals, self._worker_id), on_sync=metrics.journal_sync.observe)
        self._settlement = Settlement(self._worker_id, self._books, self._journal, self._slices, monotonic)
        self._timekeeper = Timekeeper(steady, monotonic, clock_of(database))
        self._journals_are_well = True  # all that are dead could be read
        self._addresses = addresses = ClientAddresses(
            settings.trusted_proxies, settings.client_ip_header, settings.rate_limit_ipv6_prefix
        )
        self._windows = open_windows(settings, preset.free, metrics)
        upstreams = configured(settings, preset=preset)
        self._feed = CatalogFeed(*parts, upstreams, metrics.catalog, catalog)
        self._bookkeeping = Bookkeeping(*parts, self._books, upstreams, self._feed.price_of, metrics)
        self._candidates = StoredCandidates(SqlEndpoints(database), preset)
        self._management = Management(*parts, self._feed.catalog, upstreams, self._candidates.candidates)
        self._oversight = Oversight(settings, database, self._client, self._background.start, metrics)
        self.services = Services(
            settings=settings,
            promotions=read_promotions(preset.promotions),
            deadlines=deadlines,
            behind_proxy=addresses.behind_proxy,
            authenticator=Authenticator(self._identity, rules_of(settings), monotonic, unix_seconds),
            logins=Logins(settings, settings.pepper(), metrics, monotonic),
            funds=Funds(self._worker_id, self._books, self._journal, self._slices, self._settlement, monotonic),
            claims=SqlClaims(database),
            contexts=Contexts(preset),
            auto_models=auto_models(preset.auto_models),
            classification=self._feed.classification,
            anon_id_key=settings.anonymous_key(),
            catalog=self._feed.catalog,
            serving=self._feed.serving,
            upstreams=upstreams,
            hosted_upstreams=hosted_upstreams(settings, upstreams),
            precedence=precedence_of(settings, preset, upstreams, self._candidates.candidates),
            split=TrafficSplit(preset) if preset.split.provider in upstreams else None,
            user_hashes=UserHashes(preset.identity, settings.hash_secret().decode()),
            rulebook=Rulebook(preset),
            dialects=dialects_of(preset, phase_memory(database)),
            stream_comment=preset.stream_comment,
            client=self._client,
            retry_budget=RetryBudget(settings.retries),
            breakers=Breakers(settings.breaker),
            slots=Slots(),
            free=FreeUses(self._windows.windows, SqlFreeUse(database), settings.pepper(), preset.free.promotion_text),
            drains=self._overload.drains,
            origins=Origins(settings.pepper()),
            relays=OpenRelays(self._journal.progress),
            metrics=metrics,
            request_log=self._log,
            api_metrics=self._operations.feed,
            transcripts=self._oversight.transcripts,
            early_lookups=self._bookkeeping.early_lookups(self._background.start),
            abuse=self._oversight.abuse,
            loop=asyncio.get_running_loop(),
            memory=self._overload.memory,
        )
        self._prepare_upstreams(preset)
        self.edge = self._overload.open_edge(self.services, self._handle, addresses.peer)
        self._show_metrics()

    def _show_metrics(self) -> None:
        metrics = self.services.metrics
        show_money(metrics, self._slices, self._settlement, self._journal.health)
        metrics.open_breakers.set_function(self.services.breakers.open_count)
        metrics.in_flight.set_function(lambda: self.edge.in_flight)
        metrics.set_aside.set_function(lambda: len(set_aside_in(self._journals)))

    def _prepare_upstreams(self, preset: Preset) -> None:
        """And tell the operator what is configured in vain."""
        services = self.services
        for name in self._settings.providers:
            upstream = services.upstreams.get(name)
            if upstream:
                self._client.prepare(upstream)
            else:
                _log.warning("provider_unavailable", provider=name, why="it has no key or no address")
        second = preset.split.provider
        if second and services.split is None:
            _log.warning("split_inactive", provider=second, why="it is not configured: all goes to the default one")

    async def run(self, listener: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, drain, settle, let go of everything. Raises StoreUnavailableError at start."""
        services = self.services
        if self._settings.trusted_proxies and not self._settings.client_ip_header:
            _log.warning("x_forwarded_for_is_believed", of=[str(one) for one in self._settings.trusted_proxies])
        await self._timekeeper.keep()
        await services.authenticator.refresh()
        await self._candidates.refresh()
        await self._feed.refresh()
        await self._books.enlist(self._worker_id, socket.gethostname())
        await self._replay()
        await services.funds.report()
        callers = self._management.callers(services.authenticator, services.logins, self._addresses)
        api = build_api(
            ApiServices(
                catalog=self._feed.pages(callers),
                details=self._feed.details(callers),
                cron=self._feed.cron(),
                custom_upstreams=self._management.custom_upstreams(callers),
                checks={"database": self._database_answers, "journal": self._journal_is_well},
                is_draining=lambda: self.edge.draining,
                metrics=services.metrics,
                management=self._management.api(callers, self._addresses),
                observation=self._operations.observation,
            )
        )
        self._start_background()
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        self.server = WorkerServer(self.edge, services.relays, api, listener)
        try:
            await self.server.serve(on_ready)
        finally:
            if services.early_lookups:
                services.early_lookups.stop()
            await self._background.stop()
            await self._end_money()
            await self._operations.stop()
            await self._oversight.stop()
            await self._windows.close()
            await self._feed.stop()
            self._client.close()
            self._log.flush()
            await self._database.close()

    def _start_background(self) -> None:
        services, every = self.services, self._background.every
        every(self._settings.timeouts.identity_poll_s, "identity", services.authenticator.refresh)
        every(LOG_FLUSH_S, "log", self._flush_log)
        every(SETTLE_S, "settlement", self._settlement.settle)
        every(SWEEP_S, "windows", self._windows.sweep)
        every(NOTE_PROGRESS_S, "progress", services.relays.note_all)
        every(PROBE_JOURNAL_S, "journal", self._journal.probe)
        every(REPORT_S, "report", services.funds.report)
        every(HEED_S, "recall", services.funds.heed)
        every(REPLAY_S, "replay", self._replay)
        every(LOOK_S, "time", self._timekeeper.keep)
        self._bookkeeping.start(every)
        self._operations.start(every)
        every(READ_ENDPOINTS_S, "endpoints", self._candidates.refresh)
        for job in services.dialects.phases.jobs:
            every(*job)
        self._feed.start(every)
        self._oversight.start(every)
        self._overload.start(every)
        self._management.start(every)

    async def _replay(self) -> None:
        done = await replay(lambda: dead(self._journals), self._books)
        self._journals_are_well = not done.unavailable

    async def _end_money(self) -> None:
        """Everything into the books, leases back. What cannot be done now is in the journal, for the next start."""
        try:
            await self._settlement.settle()
            if not (self._slices.held or self._settlement.set_aside):
                await self._books.retire(self._worker_id)
        except StoreUnavailableError as error:
            _log.error("left_to_the_journal", requests=len(self._settlement), error=error)
        await self._journal.shut()

    def _handle(self, inbound: Inbound, client: Client) -> Coroutine[Any, Any, None]:
        return handle(Exchange(new_request_id(), inbound, client, utc_now(), monotonic()), self.services, Guard)

    async def _database_answers(self) -> bool:
        try:
            await self._identity.revision()
        except StoreUnavailableError:
            return False
        return True

    async def _journal_is_well(self) -> bool:
        return self._journal.is_available and self._journals_are_well and not damaged_in(self._journals)

    async def _flush_log(self) -> None:
        self._log.flush()
        sys.stderr.buffer.flush()


async def open_worker(settings: Settings) -> Worker:
    """Open the database, read preset and catalog, and put a worker together.

    Raises StoreUnavailableError and SettingsError.
    """
    preset, now = load_preset(settings.preset), utc_now()
    pool_size, pool_wait_s = settings.database_pool_size, settings.database_pool_wait_s
    database = open_database(settings.database_url, pool_size=pool_size, pool_wait_s=pool_wait_s)
    catalog = assemble_catalog(settings, await SqlPrices(database).in_force(now), now, preset.hosted_models)
    return Worker(settings, preset, database, catalog)
