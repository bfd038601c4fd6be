"""What happens to the books beside the requests, put together: notices, subscriptions, expiries, sums, corrections.

A part of the composition root (`app.py`): settings → adapters → jobs.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from tollway.catalog.preset import Preset
from tollway.clock import monotonic, utc_now
from tollway.gateway.abuse_checks import Start
from tollway.gateway.early_lookups import EarlyLookups, Pace
from tollway.gateway.lookups import FindPrice, look_up
from tollway.gateway.notices import handle_notices
from tollway.gateway.upstream_port import Failure
from tollway.http.background import Every
from tollway.ids import jitter
from tollway.observability.logs import get_log
from tollway.observability.metrics import Metrics
from tollway.providers.registry import Upstream, webhook
from tollway.settings import Settings
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database
from tollway.storage.sql.expiries import SqlExpiries
from tollway.storage.sql.notices import SqlNotices
from tollway.storage.sql.subscriptions import SqlSubscriptions
from tollway.storage.sql.usage_sums import sum_up
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch
from tollway.upstream.webhook import Webhook

NOTICES_S: Final = 1.0
EXPIRE_S: Final = 60.0
ADVANCE_S: Final = 10.0
SUM_USAGE_S: Final = 1_800.0  # after a start too: workers of a version that knows no sums have ended by then
VERIFY_PAUSES: Final = 100  # for each second that reading the books takes

_log = get_log()


class Bookkeeping:
    """Of one worker."""

    def __init__(
        self,
        settings: Settings,
        preset: Preset,
        database: Database,
        client: HttpUpstreams,
        books: SqlBooks,
        upstreams: Mapping[str, Upstream],
        price_of: FindPrice,
        metrics: Metrics,
    ) -> None:
        """Raises SettingsError."""
        self._settings, self._database, self._client = settings, database, client
        self._books, self._upstreams, self._price_of = books, upstreams, price_of
        self._metrics = metrics
        self._notices = SqlNotices(database)
        self._subscriptions, self._rules = SqlSubscriptions(database), preset.subscriptions
        self._expiries = SqlExpiries(database)
        told = webhook(settings)
        self._tell = Webhook(client, told) if told else None
        self._verify_at = 0.0  # monotonic seconds

    def early_lookups(self, start: Start) -> EarlyLookups | None:
        """Questions about requests that have just ended. `start` runs work beside; None: they are turned off."""
        total_s = self._settings.timeouts.lookup_s
        if not total_s:
            return None
        pace = Pace(total_s, monotonic, asyncio.sleep, lambda: jitter(0, 1))
        return EarlyLookups(self._books, self._upstreams, self._price_of, self._fetch, pace, start)

    def start(self, every: Every) -> None:
        """Start the jobs."""
        every(self._settings.timeouts.estimates_poll_s, "estimates", self._look_up)
        every(self._settings.timeouts.books_poll_s, "books", self._verify)
        every(NOTICES_S, "notices", self._handle_notices)
        every(EXPIRE_S, "expiries", self._expiries.expire)
        every(ADVANCE_S, "subscriptions", self._advance_subscriptions)
        every(SUM_USAGE_S, "usage_sums", lambda: sum_up(self._database, utc_now()))

    async def _fetch(self, upstream: Upstream, head: bytes) -> tuple[int, bytes] | Failure:
        return await fetch(self._client, upstream, head)

    async def _look_up(self) -> None:
        """Estimates against the upstreams' own records."""
        await look_up(self._books, self._upstreams, self._price_of, self._fetch, utc_now())

    async def _handle_notices(self) -> None:
        await handle_notices(self._notices, self._subscriptions, self._rules, self._tell)

    async def _advance_subscriptions(self) -> None:
        for subscription in await self._subscriptions.advance(self._rules):
            _log.error("subscription_without_tier", subscription=subscription)

    async def _verify(self) -> None:
        """The books, as often as they can be read in a hundredth of the time."""
        begun = monotonic()
        if begun < self._verify_at:
            return
        differences = await verify_books(self._database)
        self._verify_at = monotonic() + VERIFY_PAUSES * (monotonic() - begun)
        self._metrics.differences.set(len(differences))
        for difference in differences:
            _log.error("books_differ", check=difference.check, subject=difference.subject)
