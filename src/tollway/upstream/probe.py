"""One request to an endpoint that somebody else than the operator named, or with somebody else's key to one that the
operator did, on behalf of the use cases that try it."""

import asyncio
from typing import TYPE_CHECKING, Final

from tollway.gateway.upstream_port import Failure
from tollway.identity.outbound import OutboundRules
from tollway.providers.registry import Upstream
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch
from tollway.upstream.guard import Refused, check_resolved
from tollway.upstream.resolver import Resolve, resolve

RESOLVE_S: Final = 3.0


class Prober:
    """Implements admin's Asking over the same pools, and the look at a name before it is stored."""

    def __init__(self, client: HttpUpstreams, outbound: OutboundRules, resolve: Resolve = resolve) -> None:
        self._client = client
        self._outbound = outbound
        self._resolve = resolve

    async def __call__(
        self, upstream: Upstream, head: bytes, body: bytes, timeout_s: float, body_bytes_max: int
    ) -> tuple[int, bytes] | None:
        assert upstream.origin.is_guarded
        return await _ask(self._client, upstream, head, body, timeout_s, body_bytes_max)

    async def leads_inside(self, host: str, port: int) -> bool:
        """Whether the name resolves to what may not be called, or to nothing."""
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError):  # TimeoutError is one
            return True
        return isinstance(check_resolved(host, port, found, self._outbound), Refused)


class GatewayAsker:
    """Implements admin's Asking for what the operator has configured."""

    def __init__(self, client: HttpUpstreams) -> None:
        self._client = client

    async def __call__(
        self, upstream: Upstream, head: bytes, body: bytes, timeout_s: float, body_bytes_max: int
    ) -> tuple[int, bytes] | None:
        return await _ask(self._client, upstream, head, body, timeout_s, body_bytes_max)


async def _ask(
    client: HttpUpstreams, upstream: Upstream, head: bytes, body: bytes, timeout_s: float, body_bytes_max: int
) -> tuple[int, bytes] | None:
    try:
        async with asyncio.timeout(timeout_s):
            answer = await fetch(client, upstream, head, body, timeout_s, body_bytes_max)
    except TimeoutError:
        return None
    return None if isinstance(answer, Failure) else answer


if TYPE_CHECKING:
    from tollway.admin.upstream_probes import Asking

    def _prober_asks(prober: Prober) -> Asking:
        return prober

    def _gateway_asks(asker: GatewayAsker) -> Asking:
        return asker
