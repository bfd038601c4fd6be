"""Relays of answers that are changed on their way: behind the usage tap, or before it.

A *rewriting* happens behind the tap: accounting sees what the upstream sent, prices included. A *translation* happens
before it: the upstream speaks another dialect, and accounting reads what was made of it. Errors (status 300 and above)
are never changed here. Source: response-path 2.5, 3.2.3, 4, 5.12; guarantees S3.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tollway.errors import CATALOGUE, Code
from tollway.gateway.exchange import Exchange
from tollway.gateway.facts import facts_of_unseen
from tollway.gateway.relay import Relay
from tollway.gateway.services import Services
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.identity.promotions import is_promoted
from tollway.observability.logs import get_log
from tollway.wire.answer import Answer
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.refusal import error_body
from tollway.wire.rewrite import Disguise, StreamRewriter, rewritten_answer

_STEALTH: Final = CATALOGUE[Code.STEALTH_MODEL_ERROR].message
_UNREADABLE: Final = Failure(FailureKind.BROKEN, "the answer cannot be rewritten", True)

_log = get_log()


class Rewriter(Protocol):
    """Of one stream. Whatever it is fed, neither method raises, and what it keeps is bounded. `close` is called only
    when the upstream's body ended as it should."""

    def feed(self, data: bytes) -> bytes: ...

    def close(self) -> bytes: ...


class Translator(Rewriter, Protocol):
    """Of one stream in another dialect. `error`: what it reported; `has_output`: a piece of output came before that."""

    @property
    def error(self) -> ProviderError | None: ...

    @property
    def has_output(self) -> bool: ...


class Translation(Struct, frozen=True):
    """`stream` makes what translates one stream; `whole` translates a whole JSON answer, b"": it is none."""

    stream: Callable[[], Translator]
    whole: Callable[[bytes], bytes]


class Rewriting(Struct, frozen=True):
    """`stream` makes what rewrites one stream; `whole` rewrites a whole JSON answer, b"": nothing can be made of it."""

    stream: Callable[[], Rewriter]
    whole: Callable[[bytes], bytes]


def relay_for(exchange: Exchange, services: Services) -> Callable[..., Relay]:
    """What makes the relay of one attempt: the plain one, unless its answer has to be rewritten."""
    disguise = disguise_of(exchange, services)
    if disguise is None:
        return Relay
    return partial(RewritingRelay, disguised(disguise))


def disguise_of(exchange: Exchange, services: Services) -> Disguise | None:
    """What hides the upstream of this request: of a hosted model, and where a promotion pays. Else None.

    Never that of an endpoint of the caller's own (request-path 12.2.5).
    """
    kind, promotions, own = exchange.kind, services.promotions, exchange.own
    if own is not None and own.upstream is not None:
        return None
    if not kind.is_hosted_free and not (
        promotions and is_promoted(promotions, exchange.caller, exchange.model.id, exchange.received_at)
    ):
        return None
    return Disguise(exchange.model.id, services.stream_comment, _STEALTH if kind.is_stealth else "")


def disguised(disguise: Disguise) -> Rewriting:
    return Rewriting(partial(StreamRewriter, disguise), partial(rewritten_answer, disguise=disguise))


class RewritingRelay(Relay):
    """What has passed the tap is rewritten for the client, and so is the end, which was kept back."""

    _may_pass_chunks = False

    def __init__(self, rewriting: Rewriting, *parts: Any) -> None:
        """`parts`: of the plain relay."""
        super().__init__(*parts)
        self._rewriting = rewriting
        self._rewriter = rewriting.stream()
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
        rewriter, scanner = self._rewriter, self._scanner
        if failure is None and not abandoned:
            if scanner:
                scanner.ending = rewriter.feed(scanner.ending) + rewriter.close()
            elif self._head.status < 300:
                body = self._rewriting.whole(body)
                if not body:  # it may not be shown as it is
                    failure, facts = _UNREADABLE, facts and facts_of_unseen(facts)
        self._pass_on = self._client.write  # nothing more comes; a relay that holds itself would stay in memory
        super()._finish(failure, facts, body, abandoned)
        if isinstance(rewriter, StreamRewriter) and rewriter.dropped:
            _log.warning("unreadable_events_dropped", provider=self._candidate.upstream.id, events=rewriter.dropped)


class TranslatingRelay(Relay):
    """The plain relay of what a translation makes of the answer."""

    _may_pass_chunks = False

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
            translator = self._translator
            told = translator.feed(data)
            if translator.error is None or translator.has_output or self._started:
                super().body_arrived(told)
            elif not self.finished.done():
                self._refuse(translator.error)
        elif not self.finished.done():
            self._break(FailureKind.TOO_LARGE, "the stream is too long")

    def ended(self) -> None:
        if self._scanner is not None:
            super().body_arrived(self._translator.close())
        super().ended()

    def _refuse(self, error: ProviderError) -> None:
        """Nothing was told to the client yet: an error that a stream begins with is a status like any other."""
        self._abandon()
        self._deadlines.forget(self)
        self._scanner = None
        self._head = replace(self._head, status=error.status, content_type=b"application/json")
        super()._finish_whole(error_body(error.message, error.status))

    def _finish_whole(self, body: bytes) -> None:
        super()._finish_whole(self._translation.whole(body) if self._head.status < 300 else body)
