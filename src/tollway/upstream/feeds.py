"""HttpSources: the catalog's sources, each GET bounded, tried again where that may help, and never redirected.

Source: catalog-and-clients A.1.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tollway.catalog.feed.reading import FeedError
from tollway.catalog.feed.sources import OPENROUTER, RETRIES_MAX, VERCEL
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.providers.registry import Upstream
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch
from tollway.wire.answer_head import NO_HEAD, AnswerHead

CALL_S: Final = 30.0
BODY_BYTES_MAX: Final = 64 * 1024**2
RETRY_AFTER_S_MAX: Final = 10
PAUSE_S: Final = 0.2  # before the first retry, where nothing else is said; then twice as long


class HttpSources:
    """Implements Sources. `places` by name of the source; a gateway without a key is not among them."""

    def __init__(self, client: HttpUpstreams, places: Mapping[str, Upstream], pause_s: float = PAUSE_S) -> None:
        self._client = client
        self._places = places
        self._pause_s = pause_s

    @property
    def gateways(self) -> frozenset[str]:
        return frozenset({OPENROUTER, VERCEL} & self._places.keys())

    async def get(self, where: str, path: str, retries: int = RETRIES_MAX) -> bytes | None:
        """The body of an answer 200; None for 404. Raises FeedError."""
        why = "nothing was tried"
        for attempt in range(retries + 1):
            answer = await self._once(where, path)
            if isinstance(answer, bytes) or answer is None:
                return answer
            why, wait_s = answer
            if wait_s is None:
                break
            if attempt < retries:
                await asyncio.sleep(wait_s or self._pause_s * 2**attempt)
        raise FeedError(f"{where} {path.partition('?')[0]}: {why}")

    async def _once(self, where: str, path: str) -> bytes | tuple[str, float | None] | None:
        """The body, None for 404, or what went wrong and how long to wait; None there: trying again is in vain."""
        place = self._places[where]
        before, rest = place.head
        heads: list[AnswerHead] = []
        try:
            async with asyncio.timeout(CALL_S):
                answer = await fetch(
                    self._client, place, before + path.encode() + rest, b"", CALL_S, BODY_BYTES_MAX, heads.append
                )
        except TimeoutError:
            return f"no answer within {CALL_S:g} s", None
        if isinstance(answer, Failure):
            is_final = answer.kind in (FailureKind.TOO_LARGE, FailureKind.TIMEOUT)
            return f"{answer.kind.value}: {answer.detail}", None if is_final else 0.0
        status, body = answer
        if status == 200:
            return body
        if status == 404:
            return None
        if status == 429 or status >= 500:
            said = (heads[-1] if heads else NO_HEAD).retry_after_s or 0
            return f"status {status}", None if said > RETRY_AFTER_S_MAX else float(said)
        return f"status {status}", None


if TYPE_CHECKING:
    from tollway.catalog.feed.sources import Sources

    def _is_sources(sources: HttpSources) -> Sources:
        return sources
