"""Composition root: settings → adapters → a worker that serves. The only file that names concrete adapters."""

import asyncio
import gc
import socket
import sys
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from tollway.catalog.assemble import assemble_catalog
from tollway.catalog.page import models_page
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.clock import monotonic, unix_seconds, utc_now
from tollway.deadlines import Deadlines
from tollway.gateway.drains import Drains
from tollway.gateway.exchange import Exchange, Inbound
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.pipeline import handle
from tollway.gateway.services import Client, Services
from tollway.gateway.slots import Slots
from tollway.gateway.unsettled import Unsettled
from tollway.http.api import ApiServices, Page, build_api
from tollway.http.background import Background
from tollway.http.edge import Edge
from tollway.http.guard import guard
from tollway.http.server import WorkerServer
from tollway.identity.authenticator import Authenticator, AuthenticatorRules
from tollway.identity.email_domains import read_domains
from tollway.identity.tokens import TokenRules
from tollway.ids import new_request_id
from tollway.observability.logs import RequestLog
from tollway.observability.metrics import Metrics
from tollway.providers.registry import configured
from tollway.routing.fallback import RetryBudget
from tollway.settings import Settings
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.funds import SqlFunds
from tollway.storage.sql.identity import SqlIdentity
from tollway.upstream.client import HttpUpstreams

LOG_FLUSH_S: Final = 0.5
SETTLE_AGAIN_S: Final = 1.0
EXPIRE_HOLDS_S: Final = 60.0


class Worker:
    """One serving process, put together. `run` returns after the drain."""

    def __init__(self, settings: Settings, database: Database, catalog: CatalogSnapshot) -> None:
        """Raises SettingsError when a provider is configured wrongly."""
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._database = database
        self._background = Background()
        self._identity = SqlIdentity(database)
        metrics = Metrics()
        self._log = RequestLog(sys.stderr.buffer.write, metrics.dropped_log_lines.inc)
        self._page = _page_of(catalog)
        deadlines = Deadlines()
        funds = SqlFunds(database)
        self._client = HttpUpstreams(deadlines, settings.limits, settings.timeouts)
        self.services = Services(
            settings=settings,
            deadlines=deadlines,
            authenticator=Authenticator(self._identity, _authenticator_rules(settings), monotonic, unix_seconds),
            funds=funds,
            unsettled=Unsettled(funds, metrics.unsettled.set),
            catalog=lambda: catalog,
            upstreams=configured(settings),
            client=self._client,
            retry_budget=RetryBudget(settings.retries),
            slots=Slots(),
            drains=Drains(settings.limits.drains, metrics.drains.set),
            relays=OpenRelays(),
            metrics=metrics,
            request_log=self._log,
            loop=loop,
        )
        for upstream in self.services.upstreams.values():
            self._client.prepare(upstream)
        self.edge = Edge(settings.limits, settings.timeouts, deadlines, metrics, self._handle, loop)
        metrics.in_flight.set_function(lambda: self.edge.in_flight)

    async def run(self, listener: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, drain, settle, let go of everything. Raises StoreUnavailableError at start."""
        services = self.services
        await services.authenticator.refresh()
        await services.funds.expire_holds()
        api = build_api(
            ApiServices(
                models=lambda: self._page,
                checks={"database": self._database_answers},
                is_draining=lambda: self.edge.draining,
                metrics=services.metrics,
            )
        )
        self._background.every(self._settings.timeouts.identity_poll_s, services.authenticator.refresh)
        self._background.every(LOG_FLUSH_S, self._flush_log)
        self._background.every(SETTLE_AGAIN_S, services.unsettled.settle)
        self._background.every(EXPIRE_HOLDS_S, services.funds.expire_holds)
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        self.server = WorkerServer(self.edge, services.relays, api, listener)
        try:
            await self.server.serve(on_ready)
        finally:
            await self._background.stop()
            await services.unsettled.settle()
            self._client.close()
            self._log.flush()
            await self._database.close()

    async def _handle(self, inbound: Inbound, client: Client) -> None:
        exchange = Exchange(new_request_id(), inbound, client, utc_now(), monotonic())
        await handle(exchange, self.services, guard)

    async def _database_answers(self) -> bool:
        return await guard(self._identity.revision())

    async def _flush_log(self) -> None:
        self._log.flush()
        sys.stderr.buffer.flush()


async def open_worker(settings: Settings) -> Worker:
    """Open the database, read the catalog, and put a worker together.

    Raises StoreUnavailableError and SettingsError.
    """
    database = open_database(settings.database_url, pool_size=settings.database_pool_size)
    now = utc_now()
    catalog = assemble_catalog(settings, await SqlPrices(database).in_force(now), now)
    return Worker(settings, database, catalog)


def _authenticator_rules(settings: Settings) -> AuthenticatorRules:
    secret = settings.jwt_secret()
    jwt = settings.jwt
    return AuthenticatorRules(
        pepper=settings.pepper(),
        tokens=TokenRules(secret, jwt.environment, jwt.skew_s, jwt.expiry_skew_s) if secret else None,
        cache_s=settings.timeouts.identity_cache_s,
        callers_max=settings.limits.identities,
        blocked_domains=read_domains(settings.blocked_email_domains),
    )


def _page_of(catalog: CatalogSnapshot) -> Page:
    body = models_page(catalog)
    return Page(body, f'"{sha256(body).hexdigest()[:32]}"')
