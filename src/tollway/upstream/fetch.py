"""One small GET of the control plane over the same pools, time-outs and limits as everything that goes upstream."""

from typing import Final

from tollway.gateway.services import Failure
from tollway.providers.registry import Upstream
from tollway.steps import Later
from tollway.upstream.client import HttpUpstreams
from tollway.wire.answer_head import AnswerHead

BODY_BYTES_MAX: Final = 1_048_576
ANSWER_S: Final = 20.0


class _Collected:
    """A ReplySink that keeps it all."""

    wanted = True

    def __init__(self) -> None:
        self.ended_as: Later[Failure | None] = Later()
        self.status = 0
        self.pieces: list[bytes] = []
        self.size = 0

    def head_arrived(self, head: AnswerHead) -> None:
        self.status = head.status

    def body_arrived(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= BODY_BYTES_MAX:
            self.pieces.append(data)

    def ended(self) -> None:
        self._end(None)

    def failed(self, failure: Failure) -> None:
        self._end(failure)

    def _end(self, failure: Failure | None) -> None:
        if not self.ended_as.done():
            self.ended_as.give(failure)


async def fetch(client: HttpUpstreams, upstream: Upstream, head: bytes) -> tuple[int, bytes] | Failure:
    """Status and body of a request whose head is complete but for the line that ends it."""
    sink = _Collected()
    request = head + b"\r\n"
    sent = client.send_kept(upstream, request, b"", sink, ANSWER_S)
    answered = sent or await client.send_fresh(upstream, request, b"", sink, ANSWER_S)
    if isinstance(answered, Failure):
        return answered
    failure = await sink.ended_as
    return failure or (sink.status, b"".join(sink.pieces))
