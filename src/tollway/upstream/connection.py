"""One HTTP/1.1 connection to an upstream: sends a request, hands the answer to a sink as it arrives.

No task, queue or copy per chunk: `data_received` → parser → sink; what is ordinary goes past the parser.
A connection is reusable only after an exchange that ended exactly where its framing said; anything else closes it
(guarantees A4, S3).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from tollway.deadlines import NEVER, Deadlines
from tollway.gateway.upstream_port import Failure, FailureKind, ReplySink
from tollway.upstream.answer_parser import AnswerParser
from tollway.upstream.bounds import AnyLimits
from tollway.wire.answer_head import AnswerHead
from tollway.wire.chunks import lone_chunk, whole_chunks
from tollway.wire.whole_answer import whole_answer

_JOIN_BYTES_MAX: Final = 16_384  # larger bodies are not copied behind their head


class Connection(asyncio.Protocol):
    """A pooled connection; between exchanges `_sink` is None."""

    __slots__ = (
        "_deadlines",
        "_headers_by",
        "_limits",
        "_on_idle",
        "_on_lost",
        "_parser",
        "_reading_paused",
        "_sink",
        "_unsent",
        "answered",
        "deadline",
        "is_open",
        "reused",
        "transport",
        "waiting_for",
    )

    def __init__(
        self,
        deadlines: Deadlines,
        limits: AnyLimits,
        on_idle: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self._deadlines = deadlines
        self._limits = limits
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._sink: ReplySink | None = None
        self._parser = AnswerParser(self, limits)
        self._unsent = False
        self._reading_paused = False
        self.transport: asyncio.Transport | None = None
        self.is_open = False  # and not about to be closed
        self.deadline = NEVER
        self.waiting_for = "nothing"
        self.reused = False
        self.answered = False  # any response byte of the exchange under way

    # life of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.is_open = True
        # pause_writing ⇔ something is still unsent. Not 0: below TLS that pauses when nothing is left to send.
        self.transport.set_write_buffer_limits(high=1, low=0)
        self._deadlines.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadlines.forget(self)
        self.transport = None
        self.is_open = False
        if self._sink:
            self._fail(self._failure_at_loss(exc))
        self._on_lost(self)

    def eof_received(self) -> bool:
        self.is_open = False
        if self._sink and self.answered and self._parser.ends_with_connection:
            broken = self._parser.end()
            if broken:
                self._break(broken.kind, broken.detail)
        return False

    def pause_writing(self) -> None:
        self._unsent = True

    def resume_writing(self) -> None:
        self._unsent = False
        if self._sink and not self.answered:
            self.deadline = self._headers_by
            self.waiting_for = "response headers"

    # one exchange

    def send(self, head: bytes, body: bytes, sink: ReplySink, send_by: float, headers_by: float) -> None:
        """Send a request: gone from here until `send_by`, answered by `headers_by` (both monotonic seconds)."""
        assert self.transport
        assert self._sink is None
        self._sink = sink
        self.answered = False
        self._headers_by = headers_by
        if len(body) <= _JOIN_BYTES_MAX:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self.deadline = headers_by
        self.waiting_for = "response headers"
        if self._unsent:
            self.deadline = send_by
            self.waiting_for = "the request to be sent"

    def pause_reading(self) -> None:
        if self.transport and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.transport and self._reading_paused:
            self._reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def end_by(self, at: float) -> None:
        self._headers_by = min(self._headers_by, at)
        self.deadline = min(self.deadline, at)

    def abandon(self) -> None:
        self._sink = None
        self.close()

    def close(self) -> None:
        """Close at once, without waiting for anything unsent."""
        self.deadline = NEVER
        self.is_open = False
        if self.transport:
            self.transport.abort()

    def expire(self, now: float) -> None:  # noqa: ARG002  (the sweep's interface)
        if self._sink is None:
            self.close()
            return
        self._break(FailureKind.TIMEOUT, f"waited too long for {self.waiting_for}")

    # bytes

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        if sink is None:
            self.close()  # an answer nobody asked for
        elif not self.answered:
            self.answered = True
            whole = whole_answer(data, self._limits.upstream_headers_bytes)
            if whole:
                self._take_whole(sink, *whole)
            else:
                self._parser.begin()
                self._parse(data)
        elif not self._parser.is_between_chunks:
            self._parse(data)
        else:
            begin = lone_chunk(data)
            if not (begin and sink.takes_chunk(data, begin)):
                rest = self._take_chunks(sink, data)
                if rest:
                    self._parse(rest)

    def _take_whole(self, sink: ReplySink, head: AnswerHead, body: bytes) -> None:
        """The ordinary short answer. Nothing follows it, so the connection is free for the next one at once."""
        self._sink = None
        if self._reading_paused:
            self.resume_reading()
        if self._unsent or not self.is_open:
            self.close()
        else:
            self._on_idle(self)
        sink.whole_arrived(head, body)

    def _take_chunks(self, sink: ReplySink, data: bytes) -> bytes:
        """Hand over whole chunks past the parser, which stands before a chunk all the while, and must see the rest."""
        body, rest = whole_chunks(data)
        if body:
            sink.body_arrived(body)
        return rest if self._sink else b""

    def _parse(self, data: bytes) -> None:
        broken = self._parser.feed(data)
        if broken:
            self._break(broken.kind, broken.detail)
        elif not self._sink:
            self._settle_reuse()  # only now is known whether anything follows the answer

    # what the parser found

    def head_arrived(self, head: AnswerHead) -> None:
        if self._sink:
            self._sink.head_arrived(head)

    def body_arrived(self, data: bytes) -> None:
        if self._sink:
            self._sink.body_arrived(data)

    def ended(self) -> None:
        sink, self._sink = self._sink, None
        if self._reading_paused:
            self.resume_reading()
        self.deadline = NEVER
        if sink:
            sink.ended()

    # endings

    def _settle_reuse(self) -> None:
        if self._parser.leaves_open and not self._unsent and self.is_open:
            self._on_idle(self)
        else:
            self.close()

    def _break(self, kind: FailureKind, detail: str) -> None:
        may_have_billed = not self._unsent
        self.close()
        self._fail(Failure(kind, detail, may_have_billed))

    def _fail(self, failure: Failure) -> None:
        sink, self._sink = self._sink, None
        if sink:
            sink.failed(failure)

    def _failure_at_loss(self, exc: Exception | None) -> Failure:
        detail = f"connection lost ({type(exc).__name__})" if exc else "connection closed"
        if self.answered:
            return Failure(FailureKind.BROKEN, f"{detail} inside the answer", True)
        if self._unsent:
            return Failure(FailureKind.SEND, f"{detail} before the request was sent", False)
        if self.reused:
            return Failure(FailureKind.STALE, f"{detail}; it had been kept alive", True)
        return Failure(FailureKind.NO_ANSWER, f"{detail} without an answer", True)


if TYPE_CHECKING:
    from tollway.gateway.upstream_port import UpstreamConnection

    def _connection_is_a_port(connection: Connection) -> UpstreamConnection:
        return connection
