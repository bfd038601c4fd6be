"""The upstream client: one pool per origin, requests sent without redirects, cookies or environment proxies."""

from typing import TYPE_CHECKING

from tollway.deadlines import Deadlines
from tollway.gateway.services import Failure, FailureKind, ReplySink
from tollway.providers.registry import Origin, Upstream
from tollway.settings import Limits, SettingsError, Timeouts
from tollway.upstream.connection import Connection
from tollway.upstream.pool import Pool


class HttpUpstreams:
    """Pools by origin. Everything runs on one event loop."""

    def __init__(self, deadlines: Deadlines, limits: Limits, timeouts: Timeouts) -> None:
        self._deadlines = deadlines
        self._limits = limits
        self._timeouts = timeouts
        self._pools: dict[Origin, Pool] = {}

    def prepare(self, upstream: Upstream) -> None:
        """Make what connections to this upstream need. Raises SettingsError when its authority cannot be read."""
        try:
            self._pool_of(upstream.origin)
        except OSError:  # of the file system or of TLS
            raise SettingsError(f"providers.{upstream.id}.ca_file: is not a readable PEM file") from None

    def _pool_of(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self._deadlines, self._limits, self._timeouts)
        return pool

    async def send(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float, fresh: bool
    ) -> Connection | Failure:
        """Send over a kept connection if there is one and `fresh` does not forbid it; the answer's headers must come
        within `headers_s` seconds. Nothing is sent when the sink has stopped wanting it while we connected."""
        pool = self._pool_of(upstream.origin)
        connection = None if fresh else pool.take_idle()
        if connection is None:
            made = await pool.connect()
            if isinstance(made, Failure):
                return made
            connection = made
            if not sink.wanted:
                pool.keep(connection)
                return Failure(FailureKind.UNWANTED, "the client went while we connected", False)
        now = self._deadlines.now()
        connection.send(head, body, sink, now + self._timeouts.send_s, now + headers_s)
        return connection

    def pools(self) -> tuple[Pool, ...]:
        return tuple(self._pools.values())

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


if TYPE_CHECKING:
    from tollway.gateway.services import UpstreamClient

    def _client_is_a_port(client: HttpUpstreams) -> UpstreamClient:
        return client
