"""What watches requests from outside, put together: their records, alerts about them, users' first ones.

A part of the composition root (`app.py`): settings → adapters → jobs. What is not switched on is not there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from msgspec.json import encode

from tollway.admin.alerts import Cooldowns, run_round
from tollway.admin.first_usage_events import send_due
from tollway.billing.notices import TopUpRules
from tollway.catalog.preset import Preset
from tollway.clock import utc_now
from tollway.gateway.metric_sinks import PostSink, StoreSink
from tollway.http.background import Every
from tollway.http.observation import TOKEN_HEADER, Observation
from tollway.ids import new_id
from tollway.kept_secret import secret_text
from tollway.observability.alerting.evaluation import Breach
from tollway.observability.alerting.notification import message_of
from tollway.observability.alerting.rules import Severity
from tollway.observability.api_metrics import ApiMetric, Measured
from tollway.observability.logs import get_log
from tollway.observability.metric_feed import MetricFeed, Waiting
from tollway.observability.metrics import Metrics, ObservationMetrics
from tollway.settings import Settings
from tollway.storage.lock import open_lock
from tollway.storage.sql.alerts import SqlAlerts
from tollway.storage.sql.api_metrics import SqlApiMetrics
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.first_usages import BooksWithFirstUsages, SqlFirstUsages
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.post import post, receiver_of

CLIENT_NAME: Final = "tollway"
POST_S: Final = 5.0
CLEAN_UP_S: Final = 600.0
CLEAN_UP_STEPS_MAX: Final = 1_000


_log = get_log()


class Records:
    """Records of requests: where they wait, who takes them, and when they are deleted. `feed` is None when off."""

    def __init__(
        self, settings: Settings, preset: Preset, database: Database, client: HttpUpstreams, metrics: ObservationMetrics
    ) -> None:
        """Raises SettingsError."""
        wanted = settings.api_metrics
        self._wanted = wanted
        self._metrics = metrics
        self._client = client
        self._store = SqlApiMetrics(database, wanted.client_name or preset.metrics_client_name or CLIENT_NAME)
        self.token = secret_text("api_metrics.admin_token", wanted.admin_token, wanted.admin_token_file)
        made_here: list[Waiting] = []
        self._stored: Waiting | None = None
        self._store_sink: StoreSink | None = None
        self._post_sink: PostSink | None = None
        if self.token or (wanted.enabled and wanted.store):
            self._stored = self._waiting("store")
            self._store_sink = StoreSink(self._stored, self._store, wanted.batch)
            if wanted.enabled and wanted.store:
                made_here.append(self._stored)
        receiver = self._open_receiver() if wanted.enabled and wanted.receiver_url else None
        if receiver:
            posted = self._waiting("post")
            self._post_sink = PostSink(posted, receiver)
            made_here.append(posted)
        self.feed = MetricFeed(tuple(made_here)) if made_here else None

    def _waiting(self, sink: str) -> Waiting:
        waiting = Waiting(self._wanted.waiting_max, self._metrics.dropped.labels(sink=sink).inc)
        self._metrics.waiting.labels(sink=sink).set_function(waiting.__len__)
        return waiting

    def _open_receiver(self) -> Callable[[bytes], Awaitable[str | None]] | None:
        wanted = self._wanted
        token = secret_text("api_metrics.receiver_token", wanted.receiver_token, wanted.receiver_token_file)
        if not token:
            _log.warning("metrics_receiver_off", why="api_metrics.receiver_token is not set")
            return None
        receiver = receiver_of("api_metrics.receiver_url", wanted.receiver_url, {TOKEN_HEADER: token})
        self._client.prepare(receiver)
        return lambda body: post(self._client, receiver, body, POST_S)

    def keep(self, metric: ApiMetric) -> bool:
        """One that came from elsewhere; False when too many wait."""
        return self._stored is not None and self._stored.add(Measured(new_id(), utc_now(), metric))

    def start(self, every: Every) -> None:
        if self._store_sink:
            every(self._wanted.flush_s, "api_metrics", self._store_sink.flush)
        if self._post_sink:
            every(self._wanted.flush_s, "metrics_receiver", self._post_sink.flush)
        every(CLEAN_UP_S, "old_api_metrics", self.clean_up)

    async def clean_up(self) -> None:
        """What is too old goes, also when no new ones come."""
        before = utc_now() - timedelta(days=self._wanted.retention_days)
        for _ in range(CLEAN_UP_STEPS_MAX):
            if not await self._store.delete_before(before):
                return

    async def stop(self) -> None:
        if self._post_sink:
            with suppress(TimeoutError):  # a slow receiver keeps nobody from ending
                async with asyncio.timeout(POST_S):
                    await self._post_sink.flush()
        if self._store_sink:
            await self._store_sink.flush_at_end()


class Alerting:
    """Looks once a minute, in one worker of the deployment."""

    def __init__(
        self, settings: Settings, preset: Preset, database: Database, client: HttpUpstreams, metrics: ObservationMetrics
    ) -> None:
        """Raises SettingsError."""
        self._wanted = settings.alerts
        self._windows = preset.alert_windows
        self._client = client
        self._metrics = metrics
        self.store = SqlAlerts(database)
        self._lock = open_lock(settings.database_url, "alerts")
        self._cooldowns = Cooldowns(self._wanted.page_cooldown_s, self._wanted.ticket_cooldown_s)
        wanted = self._wanted
        urls = {
            Severity.PAGE: ("page", wanted.page_webhook_url, wanted.page_webhook_url_file),
            Severity.TICKET: ("ticket", wanted.ticket_webhook_url, wanted.ticket_webhook_url_file),
        }
        self._webhooks = {}
        for severity, (name, given, file) in urls.items():
            url = secret_text(f"alerts.{name}_webhook_url", given, file)
            if url and wanted.enabled:
                self._webhooks[severity] = receiver_of(f"alerts.{name}_webhook_url", url)
                client.prepare(self._webhooks[severity])

    def start(self, every: Every) -> None:
        if self._wanted.enabled:
            every(self._wanted.interval_s, "alerts", self._look)

    async def _look(self) -> None:
        if not await self._lock.hold():
            return
        done = await run_round(self.store, self._windows, self._cooldowns, self._notify, utc_now())
        self._metrics.alerts.inc(len(done.told))
        self._metrics.alert_failures.inc(len(done.failures))
        for key in done.told:
            _log.warning("alert_told", key=key)
        if done.failures:
            _log.error("alerts_failed", summary=done.summary, failures=done.failures)

    async def _notify(self, breach: Breach) -> str | None:
        webhook = self._webhooks.get(breach.window.severity)
        if webhook is None:
            return "no webhook is configured"
        return await post(self._client, webhook, encode(message_of(breach)), self._wanted.webhook_s, once=True)

    async def stop(self) -> None:
        await self._lock.release()


class FirstUsages:
    """Events of users' first requests. Without a key nothing is noted."""

    def __init__(
        self, settings: Settings, database: Database, client: HttpUpstreams, metrics: ObservationMetrics
    ) -> None:
        """Raises SettingsError."""
        self._wanted = settings.analytics
        self._database = database
        self._client = client
        self._metrics = metrics
        self._events = SqlFirstUsages(database)
        self._lock = open_lock(settings.database_url, "first-usages")
        self._key = secret_text("analytics.api_key", self._wanted.api_key, self._wanted.api_key_file)
        self._sink = receiver_of("analytics.url", self._wanted.url)
        if self._key:
            client.prepare(self._sink)

    def books(self, top_ups: TopUpRules) -> SqlBooks:
        if not self._key:
            return SqlBooks(self._database, top_ups=top_ups)
        return BooksWithFirstUsages(self._database, top_ups=top_ups, on_lost=self._metrics.first_usages_lost.inc)

    def start(self, every: Every) -> None:
        if self._key:
            every(self._wanted.interval_s, "first_usages", self._send_due)

    async def _send_due(self) -> None:
        if self._key and await self._lock.hold():
            sent = await send_due(self._events, self._key, self._wanted.tries_max, self._send, utc_now())
            self._metrics.first_usages.inc(sent)

    async def _send(self, message: dict[str, Any]) -> str | None:
        return await post(self._client, self._sink, encode(message), self._wanted.answer_s, once=True)

    async def stop(self) -> None:
        await self._lock.release()


class Operations:
    """All of it, of one worker. `feed` and `observation` are None where nobody wants them."""

    def __init__(
        self, settings: Settings, preset: Preset, database: Database, client: HttpUpstreams, metrics: Metrics
    ) -> None:
        """Raises SettingsError."""
        self._records = Records(settings, preset, database, client, metrics.observation)
        self._alerting = Alerting(settings, preset, database, client, metrics.observation)
        self._first_usages = FirstUsages(settings, database, client, metrics.observation)
        self.feed = self._records.feed
        token = self._records.token
        self.observation = (
            Observation(token.encode(), self._records.keep, self._alerting.store, utc_now) if token else None
        )
        if settings.alerts.enabled and not (token or (settings.api_metrics.enabled and settings.api_metrics.store)):
            _log.warning("alerts_without_records", why="api_metrics is off, so there is nothing to look at")

    def books(self, top_ups: TopUpRules) -> SqlBooks:
        """The books, which note users' first requests if somebody wants to know."""
        return self._first_usages.books(top_ups)

    def start(self, every: Every) -> None:
        """Start the jobs."""
        for part in (self._records, self._alerting, self._first_usages):
            part.start(every)

    async def stop(self) -> None:
        """Once the jobs have ended and no request is under way."""
        for part in (self._records, self._alerting, self._first_usages):
            await part.stop()
