"""The upstream client: one pool per origin, requests sent without redirects, cookies or environment proxies.

Where somebody else than the operator says what an origin is, its addresses are looked at before every connection, and
its pool is one of a bounded number (request-path 12.5, guarantees N1).
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tollway.deadlines import Deadlines
from tollway.gateway.upstream_port import Failure, FailureKind, ReplySink
from tollway.providers.registry import Origin
from tollway.settings_error import SettingsError
from tollway.steps import beside
from tollway.upstream.bounds import AnyLimits, AnyTimeouts
from tollway.upstream.connection import Connection
from tollway.upstream.guarded import GuardedPools
from tollway.upstream.pool import OnFull, Pool, nobody_counts
from tollway.upstream.resolver import Resolve, resolve


class Destination(Protocol):
    """Where a request goes. One `id` has one `origin`, the very same object each time."""

    @property
    def id(self) -> str: ...

    @property
    def origin(self) -> Origin: ...


class HttpUpstreams:
    """Pools by origin. Everything runs on one event loop."""

    def __init__(
        self,
        deadlines: Deadlines,
        limits: AnyLimits,
        timeouts: AnyTimeouts,
        outbound: "OutboundRules | None" = None,
        resolve: Resolve = resolve,
        on_full: OnFull = nobody_counts,
    ) -> None:
        """`outbound`: where guarded origins may be; None: nowhere but at public addresses. `on_full`: hears the name of
        a bound that a request has met."""
        self._deadlines = deadlines
        self._limits = limits
        self._timeouts = timeouts
        self._pools: dict[Origin, Pool] = {}
        self._by_upstream: dict[str, Pool] = {}
        self._outbound = outbound
        self._resolve = resolve
        self._on_full = on_full
        self._guarded = GuardedPools(self._guarded_pool, limits.custom_upstream_pools)

    def prepare(self, upstream: Destination) -> None:
        """Make what connections to this upstream need. Raises SettingsError when its authority cannot be read."""
        try:
            self._pool_of_operator(upstream)
        except OSError:  # of the file system or of TLS
            raise SettingsError(f"providers.{upstream.id}.ca_file: is not a readable PEM file") from None

    def _pool_of(self, upstream: Destination) -> Pool | None:
        """None: there are too many already."""
        if upstream.origin.is_guarded:
            return self._guarded.of(upstream.origin)
        return self._pool_of_operator(upstream)

    def _pool_of_operator(self, upstream: Destination) -> Pool:
        pool = self._by_upstream.get(upstream.id)  # an id is quicker to look up than an origin
        if pool is None or pool.origin is not upstream.origin:
            pool = self._by_upstream[upstream.id] = self._shared_pool(upstream.origin)
        return pool

    def _shared_pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(*self._parts(origin), on_full=self._on_full)
        return pool

    def _guarded_pool(self, origin: Origin) -> Pool:
        from tollway.identity.outbound import OutboundRules  # lazy: a command has no guarded origins
        from tollway.upstream.guard import check_resolved  # lazy: see above

        check = partial(check_resolved, rules=self._outbound or OutboundRules())
        idle_max = self._limits.custom_upstream_idle
        return Pool(*self._parts(origin), check, self._resolve, idle_max, self._on_full)

    def _parts(self, origin: Origin) -> tuple[Origin, Deadlines, AnyLimits, AnyTimeouts]:
        return origin, self._deadlines, self._limits, self._timeouts

    def send_kept(
        self, upstream: Destination, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> Connection | None:
        """Send over a kept connection; None when there is none. The answer's headers must come within `headers_s`."""
        pool = self._pool_of(upstream)
        connection = pool.take_idle() if pool else None
        if connection:
            now = self._deadlines.now()
            connection.send(head, body, sink, now + self._timeouts.send_s, now + headers_s)
        return connection

    async def send_fresh(
        self, upstream: Destination, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> Connection | Failure:
        """Send over a new connection. Nothing is sent when the sink has stopped wanting it while we connected."""
        pool = self._pool_of(upstream)
        if pool is None:
            self._on_full("custom_upstream_pools")
            return Failure(FailureKind.SATURATED, "too many upstreams at once", False)
        made = await beside(pool.connect(), asyncio.get_running_loop())
        if isinstance(made, Failure):
            return made
        if not sink.wanted:
            pool.keep(made)
            return Failure(FailureKind.UNWANTED, "the client went while we connected", False)
        now = self._deadlines.now()
        made.send(head, body, sink, now + self._timeouts.send_s, now + headers_s)
        return made

    @property
    def guarded(self) -> int:
        """How many pools belong to custom upstreams."""
        return len(self._guarded)

    def pools(self) -> tuple[Pool, ...]:
        return (*self._pools.values(), *self._guarded)

    def close(self) -> None:
        for pool in self.pools():
            pool.close()


if TYPE_CHECKING:
    from tollway.gateway.upstream_port import UpstreamClient
    from tollway.identity.outbound import OutboundRules

    def _client_is_a_port(client: HttpUpstreams) -> UpstreamClient:
        return client
