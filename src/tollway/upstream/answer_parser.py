"""Reads an upstream's answer with the parser (llhttp): heads in pieces, interim answers, chunks, codings, odd ends.

One parser reads one answer after another, because it costs more to make than to keep. What is found goes to a receiver
at once; what is wrong comes back from `feed`.
"""

from typing import Final, NamedTuple, Protocol

import httptools

from tollway.gateway.upstream_port import FailureKind
from tollway.upstream.bounds import AnyLimits
from tollway.upstream.decoding import CodingError, Decoder
from tollway.wire.answer_head import AnswerHead, read_answer_head

INTERIM_ANSWERS_MAX: Final = 10


class Broken(NamedTuple):
    """Why what came is no answer."""

    kind: FailureKind
    detail: str


class Receiver(Protocol):
    """Takes one answer: its head, pieces of its body, its end."""

    def head_arrived(self, head: AnswerHead) -> None: ...

    def body_arrived(self, data: bytes) -> None: ...

    def ended(self) -> None: ...


class AnswerParser:
    """`begin` before the first bytes of each answer.

    `leaves_open`: an answer that has ended did so where its framing said, nothing is behind it, and its connection may
    serve again. `ends_with_connection`: it has neither length nor chunks. `is_between_chunks`: the next byte is the
    first of a chunk.
    """

    __slots__ = (
        "_broken",
        "_chunk_ended",
        "_decoder",
        "_has_ended",
        "_head",
        "_head_bytes",
        "_header_bytes",
        "_headers",
        "_interim",
        "_limits",
        "_parser",
        "_to",
        "is_between_chunks",
        "leaves_open",
    )

    def __init__(self, to: Receiver, limits: AnyLimits) -> None:
        self._to = to
        self._limits = limits
        self._parser: httptools.HttpResponseParser | None = None
        self.leaves_open = False
        self.is_between_chunks = False
        self._head: AnswerHead | None = None

    def begin(self) -> None:
        self.leaves_open = False
        self.is_between_chunks = False
        self._head = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0  # as received, with what may follow the head
        self._header_bytes = 0  # of whole header lines, interim answers included
        self._interim = 0
        self._decoder: Decoder | None = None
        self._chunk_ended = False
        self._has_ended = False
        self._broken: Broken | None = None
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    @property
    def ends_with_connection(self) -> bool:
        return self._head is not None and not self._head.is_framed

    def feed(self, data: bytes) -> Broken | None:
        """The next bytes; why they are no answer."""
        assert self._parser
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, CodingError):
                raise  # a bug of ours: the loop reports it and ends the connection
            return Broken(FailureKind.BROKEN, str(error.__context__))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            return self._broken or Broken(FailureKind.BROKEN, f"not HTTP/1.1: {error}")
        if self._head is None and self._head_bytes > self._limits.upstream_headers_bytes:
            return self._broken or _HEADERS_TOO_LARGE
        self.is_between_chunks = self._chunk_ended and self._decoder is None and data.endswith(b"\r\n")
        return self._broken

    def end(self) -> Broken | None:
        """The connection has ended, and with it an answer that `ends_with_connection`."""
        self.leaves_open = False
        try:
            if self._decoder:
                self._decoder.finish()
        except CodingError as error:
            return Broken(FailureKind.BROKEN, str(error))
        self._to.ended()
        return None

    # what the parser found

    def on_message_begin(self) -> None:
        if self._head:
            self.leaves_open = False  # more than one answer: whatever follows the first is never shown

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is None:
            self._header_bytes += len(name) + len(value) + 4
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._head or self._broken or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
            self._interim += 1
            if self._interim > INTERIM_ANSWERS_MAX or status == 101:
                self._broken = Broken(FailureKind.BROKEN, "too many interim answers")
        elif self._header_bytes > self._limits.upstream_headers_bytes:
            self._broken = _HEADERS_TOO_LARGE
        else:
            self._take_head(read_answer_head(status, self._headers), self._parser.should_keep_alive())

    def _take_head(self, head: AnswerHead, keep_alive: bool) -> None:
        self._head = head
        if head.coding:
            try:
                self._decoder = Decoder(head.coding, self._limits.upstream_body_bytes)
            except CodingError as error:
                self._broken = Broken(FailureKind.BROKEN, str(error))
                return
        self.leaves_open = head.is_framed and keep_alive
        self._to.head_arrived(head)

    def on_chunk_header(self) -> None:
        self._chunk_ended = False

    def on_chunk_complete(self) -> None:
        self._chunk_ended = True  # if a line ends the data as well, then no byte of the next chunk has come

    def on_body(self, data: bytes) -> None:
        if self._broken or self._has_ended:
            return
        if self._decoder is None:
            self._to.body_arrived(data)
            return
        for piece in self._decoder.feed(data):
            self._to.body_arrived(piece)

    def on_message_complete(self) -> None:
        if self._head is None or self._broken or self._has_ended:
            return
        if self._decoder:
            self._decoder.finish()
        self._has_ended = True
        self._to.ended()


_HEADERS_TOO_LARGE: Final = Broken(FailureKind.TOO_LARGE, "response headers are too large")
