"""One small request of the control plane over the same pools, time-outs and limits as everything that goes upstream."""

import asyncio
from collections.abc import Callable
from typing import Final

from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.steps import Later
from tollway.upstream.client import Destination, HttpUpstreams
from tollway.upstream.connection import Connection
from tollway.wire.answer_head import AnswerHead

BODY_BYTES_MAX: Final = 1_048_576
ANSWER_S: Final = 20.0  # for all of it, from when the request was sent


class _Collected:
    """A ReplySink that keeps it all. `connection`: where it comes from, known before anything can come."""

    wanted = True

    def __init__(self, most: int, on_head: Callable[[AnswerHead], None] | None) -> None:
        self._most = most
        self._on_head = on_head
        self.ended_as: Later[Failure | None] = Later()
        self.connection: Connection | None = None
        self.status = 0
        self.pieces: list[bytes] = []
        self.size = 0

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        self.head_arrived(head)
        self.body_arrived(body)
        self.ended()

    def head_arrived(self, head: AnswerHead) -> None:
        self.status = head.status
        if self._on_head:
            self._on_head(head)

    def body_arrived(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= self._most:
            self.pieces.append(data)
        else:
            self.abandon()
            self._end(Failure(FailureKind.TOO_LARGE, "the answer is too large", may_have_billed=False))

    def takes_chunk(self, data: bytes, begin: int) -> bool:  # noqa: ARG002  (only bodies are of use here)
        return False

    def ended(self) -> None:
        self._end(None)

    def failed(self, failure: Failure) -> None:
        self._end(failure)

    def abandon(self) -> None:
        if self.connection:
            self.connection.abandon()

    def _end(self, failure: Failure | None) -> None:
        if not self.ended_as.done():
            self.ended_as.give(failure)


async def fetch(
    client: HttpUpstreams,
    upstream: Destination,
    head: bytes,
    body: bytes = b"",
    answer_s: float = ANSWER_S,
    body_bytes_max: int = BODY_BYTES_MAX,
    on_head: Callable[[AnswerHead], None] | None = None,
    *,
    reuse: bool = True,
) -> tuple[int, bytes] | Failure:
    """Status and body of a request whose head is complete but for the line that ends it.

    Sent again over a new connection when a kept one turns out to be dead: to ask twice does no harm. Where it would,
    `reuse` is False, and the connection a new one.
    """
    request, sink = head + b"\r\n", _Collected(body_bytes_max, on_head)
    kept = client.send_kept(upstream, request, body, sink, answer_s) if reuse else None
    if kept:
        answer = await _answer_over(kept, sink)
        if not (isinstance(answer, Failure) and answer.kind is FailureKind.STALE):
            return answer
        sink = _Collected(body_bytes_max, on_head)
    fresh = await client.send_fresh(upstream, request, body, sink, answer_s)
    return fresh if isinstance(fresh, Failure) else await _answer_over(fresh, sink)


async def _answer_over(connection: Connection, sink: _Collected) -> tuple[int, bytes] | Failure:
    sink.connection = connection
    try:
        failure = await sink.ended_as
    except asyncio.CancelledError:  # nobody waits for it any more, so nobody may be given its connection
        sink.abandon()
        raise
    return failure or (sink.status, b"".join(sink.pieces))
