"""Relays of answers that are changed on their way: behind the usage tap, or before it.

A *disguise* is put on behind the tap: accounting sees what the upstream sent, prices included. A *translation* comes
before it: the upstream speaks another dialect, and accounting reads what was made of it. Errors (status 300 and above)
are never changed here. Source: response-path 2.5, 3.2.3, 4; guarantees S3.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from msgspec import Struct

from tollway.errors import CATALOGUE, Code
from tollway.gateway.exchange import Exchange
from tollway.gateway.relay import Relay
from tollway.gateway.services import Failure, FailureKind, Services
from tollway.identity.promotions import is_promoted
from tollway.observability.logs import get_log
from tollway.wire.answer import Answer
from tollway.wire.rewrite import Disguise, StreamRewriter, rewritten_answer

_STEALTH: Final = CATALOGUE[Code.STEALTH_MODEL_ERROR].message

_log = get_log()


def relay_for(exchange: Exchange, services: Services) -> Callable[..., Relay]:
    """What makes the relay of one attempt: the plain one, unless its answer has to be rewritten."""
    disguise = disguise_of(exchange, services)
    return Relay if disguise is None else partial(DisguisingRelay, disguise)


class StreamTranslator(Protocol):
    """Whatever the upstream sends, neither method raises, and what it keeps is bounded. `close` is called only when
    the upstream's body ended as its framing said."""

    def feed(self, data: bytes) -> bytes: ...

    def close(self) -> bytes: ...


class Translation(Struct, frozen=True):
    """From another dialect: `stream` makes what translates one stream, `whole` translates a whole answer."""

    stream: Callable[[], StreamTranslator]
    whole: Callable[[bytes], bytes]


def disguise_of(exchange: Exchange, services: Services) -> Disguise | None:
    """What hides the upstream of this request: of a hosted model, and where a promotion pays. Else None."""
    kind, promotions = exchange.kind, services.promotions
    if not kind.is_hosted_free and not (
        promotions and is_promoted(promotions, exchange.caller, exchange.model.id, exchange.received_at)
    ):
        return None
    return Disguise(exchange.model.id, services.stream_comment, _STEALTH if kind.is_stealth else "")


class DisguisingRelay(Relay):
    """What has passed the tap is rewritten for the client; so is the end, which holds the only `[DONE]`."""

    def __init__(self, disguise: Disguise, *parts: Any) -> None:
        """`parts`: of the plain relay."""
        super().__init__(*parts)
        self._disguise = disguise
        self._rewriter = StreamRewriter(disguise)
        self._pass_on = self._rewrite

    def _rewrite(self, events: bytes) -> None:
        shown = self._rewriter.feed(events)
        if shown:
            self._client.write(shown)

    def _finish(
        self,
        failure: Failure | None = None,
        facts: Answer | None = None,
        body: bytes = b"",
        abandoned: bool = False,
    ) -> None:
        if failure is None and not abandoned:
            if self._scanner:
                self._scanner.ending = self._rewriter.close()
            elif self._head.status < 300:
                body = rewritten_answer(body, self._disguise)
        self._pass_on = self._client.write  # nothing more comes; a relay that holds itself would stay in memory
        super()._finish(failure, facts, body, abandoned)
        if self._rewriter.dropped:
            provider = self._candidate.upstream.id
            _log.warning("unreadable_events_dropped", provider=provider, events=self._rewriter.dropped)


class TranslatingRelay(Relay):
    """The plain relay of what a translation makes of the answer."""

    def __init__(self, translation: Translation, *parts: Any) -> None:
        """`parts`: of the plain relay."""
        super().__init__(*parts)
        self._translation = translation
        self._translator = translation.stream()
        self._upstream_bytes = 0

    def body_arrived(self, data: bytes) -> None:
        if self._scanner is None:
            super().body_arrived(data)
            return
        self._upstream_bytes += len(data)
        if self._upstream_bytes <= self._limits.upstream_stream_bytes:
            super().body_arrived(self._translator.feed(data))
        elif not self.finished.done():
            self._break(FailureKind.TOO_LARGE, "the stream is too long")

    def ended(self) -> None:
        if self._scanner is not None:
            super().body_arrived(self._translator.close())
        super().ended()

    def _finish_whole(self, body: bytes) -> None:
        super()._finish_whole(self._translation.whole(body) if self._head.status < 300 else body)
