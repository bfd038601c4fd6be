"""Chat requests of a developer's machine, over the connections, time-outs and limits that the gateway has.

Source: catalog-and-clients C.9, D.4.9.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Final

from tollway.call_defaults import CallTimeouts
from tollway.client.endpoint import endpoint_of
from tollway.client.gateways import Gateway
from tollway.client.turns import Broken, BrokenAnswerError
from tollway.clock import monotonic
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.connection import Connection
from tollway.wire.answer_head import NO_HEAD, AnswerHead

_KEPT_BYTES_MAX: Final = 1_048_576  # of an answer that is read more slowly than it comes


class ChatCalls:
    """Implements the client's StartCall for one gateway. Raises ClientError when it has no address.

    on_sent: called whenever a request has gone, for what may be done while its answer is awaited.
    """

    def __init__(self, client: HttpUpstreams, gateway: Gateway, on_sent: Callable[[], None]) -> None:
        self._client = client
        self._on_sent = on_sent
        self._name = gateway.name
        self._upstream = endpoint_of(gateway).upstream
        self._timeouts = CallTimeouts()
        set_ms = gateway.config.options.timeout
        self._headers_s = self._timeouts.stream_headers_s
        if set_ms is False:
            self._headers_s = self._timeouts.stream_s
        elif set_ms is not None and set_ms is not True:
            self._headers_s = max(set_ms / 1000, 0.001)

    async def __call__(self, body: bytes, headers: Mapping[str, str]) -> "ChatCall | Broken":
        """Send, and wait for the head of the answer. `headers` are lines besides those of the gateway."""
        before, after = self._upstream.head
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        head = b"%b%b%bcontent-length: %d\r\n\r\n" % (before, after, more, len(body))
        call = ChatCall(self._timeouts)
        try:
            kept = self._client.send_kept(self._upstream, head, body, call, self._headers_s)
            failure = await self._begun(call, kept) if kept else None
            if kept is None or (failure and failure.kind is FailureKind.STALE):
                call = ChatCall(self._timeouts)
                fresh = await self._client.send_fresh(self._upstream, head, body, call, self._headers_s)
                failure = fresh if isinstance(fresh, Failure) else await self._begun(call, fresh)
        except asyncio.CancelledError:
            call.abandon()
            raise
        return Broken(f"{self._name} is unreachable: {failure.detail}") if failure else call

    async def _begun(self, call: "ChatCall", connection: Connection) -> Failure | None:
        self._on_sent()
        return await call.begun(connection)


class ChatCall:
    """One request: a ReplySink whose bytes are taken by whoever iterates over `body`."""

    wanted = True

    def __init__(self, timeouts: CallTimeouts) -> None:
        self.head: AnswerHead = NO_HEAD
        self._timeouts = timeouts
        self._ends_at = monotonic() + timeouts.stream_s
        self._connection: Connection | None = None
        self._arrived: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._failure: Failure | None = None
        self._news = asyncio.Event()

    async def begun(self, connection: Connection) -> Failure | None:
        """Wait for the head; what failed before it came."""
        self._connection = connection
        while self.head is NO_HEAD and not self._is_over:
            await self._next_news()
        return self._failure if self.head is NO_HEAD else None

    async def body(self) -> AsyncIterator[bytes]:
        """Raises BrokenAnswerError."""
        while True:
            while self._arrived:
                data = self._arrived.popleft()
                self._size -= len(data)
                yield data
            if self._connection:
                self._connection.resume_reading()
            if self._is_over:
                break
            await self._next_news()
        if self._failure:
            raise BrokenAnswerError(f"the answer was cut off: {self._failure.detail}")

    def abandon(self) -> None:
        """Close the connection at once, if the answer is not over."""
        if self._connection and not self._is_over:
            self._is_over = True
            self._connection.abandon()

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    # what the connection tells

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        self.head = head
        self._arrived.append(body)
        self.ended()

    def head_arrived(self, head: AnswerHead) -> None:
        self.head = head
        first_s = self._timeouts.first_event_s if head.is_stream else self._timeouts.answer_s
        self._wait(first_s, "the first event" if head.is_stream else "the answer's body")
        self._news.set()

    def body_arrived(self, data: bytes) -> None:
        self._arrived.append(data)
        self._size += len(data)
        if self.head.is_stream:
            self._wait(self._timeouts.silence_s, "more of the stream")
        if self._size > _KEPT_BYTES_MAX and self._connection:
            self._connection.pause_reading()
        self._news.set()

    def takes_chunk(self, data: bytes, begin: int) -> bool:  # noqa: ARG002  (only bodies are of use here)
        return False

    def ended(self) -> None:
        self._is_over = True
        self._news.set()

    def failed(self, failure: Failure) -> None:
        self._failure = failure
        self.ended()

    def _wait(self, seconds: float, what: str) -> None:
        if self._connection:
            self._connection.deadline = min(monotonic() + seconds, self._ends_at)
            self._connection.waiting_for = what


if TYPE_CHECKING:
    from tollway.client.turns import StartCall
    from tollway.gateway.upstream_port import ReplySink

    def _call_is_a_sink(call: ChatCall) -> ReplySink:
        return call

    def _calls_are_a_port(calls: ChatCalls) -> StartCall:
        return calls
