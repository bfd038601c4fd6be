"""A copy of what came back for one attempt, taken before anything is read, rewritten or translated.

It stands between connection and relay, and only where somebody keeps such copies: no relay knows of it, and none pays
for it. Source: response-path 2.4, 10.2, §14 (copy of the response); guarantees S1.
"""

from typing import TYPE_CHECKING

from tollway.gateway.transcripts import Copy
from tollway.gateway.upstream_port import Failure, ReplySink
from tollway.wire.answer_head import AnswerHead


class CopyingSink:
    """Implements ReplySink: hands all to `sink`."""

    __slots__ = ("_copy", "_sink")

    def __init__(self, sink: ReplySink, copy: Copy) -> None:
        self._sink = sink
        self._copy = copy

    @property
    def wanted(self) -> bool:
        return self._sink.wanted

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        self._copy.take(body)
        self._sink.whole_arrived(head, body)

    def head_arrived(self, head: AnswerHead) -> None:
        self._sink.head_arrived(head)

    def body_arrived(self, data: bytes) -> None:
        self._copy.take(data)
        self._sink.body_arrived(data)

    def takes_chunk(self, data: bytes, begin: int) -> bool:  # noqa: ARG002  (a copy is made of the body)
        return False

    def ended(self) -> None:
        self._sink.ended()

    def failed(self, failure: Failure) -> None:
        self._sink.failed(failure)


if TYPE_CHECKING:

    def _is_a_sink(sink: CopyingSink) -> ReplySink:
        return sink
