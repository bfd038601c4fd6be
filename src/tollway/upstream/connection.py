"""One HTTP/1.1 connection to an upstream: sends a request, hands the answer to a sink as it arrives.

No task, queue or copy per chunk: `data_received` → parser → sink; what is ordinary goes past the parser.
A connection is reusable only after an exchange that ended exactly where its framing said; anything else closes it
(guarantees A4, S3).
"""

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import httptools

from tollway.deadlines import NEVER, Deadlines
from tollway.gateway.services import Failure, FailureKind, ReplySink
from tollway.settings import Limits
from tollway.upstream.decoding import CodingError, Decoder
from tollway.wire.answer_head import AnswerHead, read_answer_head
from tollway.wire.whole_answer import whole_answer

INTERIM_ANSWERS_MAX: Final = 10
_JOIN_BYTES_MAX: Final = 16_384  # larger bodies are not copied behind their head
_HEADERS_TOO_LARGE: Final = "response headers are too large"
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,7}\r\n").match


class Connection(asyncio.Protocol):
    """A pooled connection; between exchanges `_sink` is None."""

    __slots__ = (
        "_chunk_ended",
        "_deadlines",
        "_decoder",
        "_framed",
        "_head_bytes",
        "_head_done",
        "_header_bytes",
        "_headers",
        "_headers_by",
        "_interim",
        "_is_between_chunks",
        "_limits",
        "_on_idle",
        "_on_lost",
        "_parser",
        "_reading_paused",
        "_reusable",
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
        limits: Limits,
        on_idle: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self._deadlines = deadlines
        self._limits = limits
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._sink: ReplySink | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._unsent = False
        self._framed = False
        self._head_done = False
        self._is_between_chunks = False
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
        if self._sink and self._head_done and not self._framed:
            self._end_with_connection()
        return False

    def _end_with_connection(self) -> None:
        """An answer without length or chunks ends with its connection."""
        self._reusable = False
        try:
            if self._decoder:
                self._decoder.finish()
        except CodingError as error:
            self._break(FailureKind.BROKEN, str(error))
        else:
            self._complete()

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
        self._head_done = False
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
                self._parse(self._begin_parsing(), data)
        elif self._parser:
            rest = self._take_chunks(sink, data) if self._is_between_chunks else data
            if rest:
                self._parse(self._parser, rest)

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
        """Hand over the whole chunks that `data` begins with, past the parser, which stands before a chunk all the
        while; what it must see comes back: the rest of them, the last chunk, and whatever is unusual."""
        at, pieces = 0, []
        while found := _CHUNK_SIZE(data, at):
            begin = found.end()
            end = begin + int(found[0], 16)
            if end == begin or data[end : end + 2] != b"\r\n":
                break
            pieces.append(data[begin:end])
            at = end + 2
        if pieces:
            sink.body_arrived(b"".join(pieces))
        return data[at:] if self._sink else b""

    def _begin_parsing(self) -> httptools.HttpResponseParser:
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0  # as received, with what may follow the head
        self._header_bytes = 0  # of whole header lines, interim answers included
        self._interim = 0
        self._decoder: Decoder | None = None
        self._reusable = False
        self._framed = False
        self._chunk_ended = False
        self._is_between_chunks = False
        if self._parser is None:  # it reads one answer after another, and costs more to make than to keep
            self._parser = httptools.HttpResponseParser(self)
        return self._parser

    def _parse(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, CodingError):
                raise  # a bug of ours: the loop reports it and ends the connection
            self._break(FailureKind.BROKEN, str(error.__context__))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(FailureKind.BROKEN, f"not HTTP/1.1: {error}")
        else:
            if not self._sink:
                self._settle_reuse()  # only now is known whether anything follows the answer
            elif not self._head_done and self._head_bytes > self._limits.upstream_headers_bytes:
                self._break(FailureKind.TOO_LARGE, _HEADERS_TOO_LARGE)
            else:
                self._is_between_chunks = self._chunk_ended and data.endswith(b"\r\n") and self._decoder is None

    def on_message_begin(self) -> None:
        if self._head_done:
            self._reusable = False  # more than one answer: whatever follows the first is never shown

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:
            self._header_bytes += len(name) + len(value) + 4
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._head_done or self._sink is None or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
            self._interim += 1
            if self._interim > INTERIM_ANSWERS_MAX or status == 101:
                self._break(FailureKind.BROKEN, "too many interim answers")
            return
        if self._header_bytes > self._limits.upstream_headers_bytes:
            self._break(FailureKind.TOO_LARGE, _HEADERS_TOO_LARGE)
            return
        self._head_done = True
        head = read_answer_head(status, self._headers)
        self._framed = head.is_framed
        if head.coding:
            try:
                self._decoder = Decoder(head.coding, self._limits.upstream_body_bytes)
            except CodingError as error:
                self._break(FailureKind.BROKEN, str(error))
                return
        self._reusable = head.is_framed and self._parser.should_keep_alive()
        self._sink.head_arrived(head)

    def on_chunk_header(self) -> None:
        self._chunk_ended = False

    def on_chunk_complete(self) -> None:
        self._chunk_ended = True  # if a line ends the data as well, then no byte of the next chunk has come

    def on_body(self, data: bytes) -> None:
        if self._decoder is None:
            if self._sink:
                self._sink.body_arrived(data)
            return
        for piece in self._decoder.feed(data):
            if self._sink is None:
                return
            self._sink.body_arrived(piece)

    def on_message_complete(self) -> None:
        if self._head_done and self._sink:
            if self._decoder:
                self._decoder.finish()
            self._complete()

    # endings

    def _complete(self) -> None:
        sink, self._sink = self._sink, None
        if self._reading_paused:
            self.resume_reading()
        self.deadline = NEVER
        if sink:
            sink.ended()

    def _settle_reuse(self) -> None:
        if self._reusable and not self._unsent and self.is_open:
            self._reusable = False
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
    from tollway.gateway.services import UpstreamConnection

    def _connection_is_a_port(connection: Connection) -> UpstreamConnection:
        return connection
