"""The port through which upstreams are called, apart from the others: it is all that commands need, and loads fast."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tollway.providers.registry import Upstream
from tollway.wire.answer_head import AnswerHead


class FailureKind(StrEnum):
    """How an attempt at an upstream failed."""

    SATURATED = "saturated"
    RESOLVE = "resolve"
    REFUSED = "refused"  # its name leads to where nobody but the operator may send requests
    CONNECT = "connect"
    STALE = "stale"  # a pooled connection found dead before any response byte
    NO_ANSWER = "no_answer"  # fully sent, connection ended before any response byte
    SEND = "send"  # ended before the request was fully sent
    BROKEN = "broken"  # not HTTP, or ended inside the answer
    EMPTY = "empty"  # a stream that ended as it should, without a single byte
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    UNWANTED = "unwanted"  # the client went before the request was sent
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Failure:
    """`may_have_billed`: the request was fully sent, so the upstream may charge for it. `detail` is for logs."""

    kind: FailureKind
    detail: str
    may_have_billed: bool


class ReplySink(Protocol):
    """Takes an upstream's answer as it arrives. After `whole_arrived`, `ended` or `failed` nothing more comes.

    `wanted`: somebody waits for the answer; asked once more before the request is sent."""

    @property
    def wanted(self) -> bool: ...

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        """All of it in one piece."""
        ...

    def head_arrived(self, head: AnswerHead) -> None: ...

    def body_arrived(self, data: bytes) -> None: ...

    def takes_chunk(self, data: bytes, begin: int) -> bool:
        """Offers exactly one chunk, as it came, whose body is data[begin:-2]. False: it wants the body by itself."""
        ...

    def ended(self) -> None: ...

    def failed(self, failure: Failure) -> None: ...


class UpstreamConnection(Protocol):
    """One exchange under way. The sink may move `deadline` (monotonic seconds) and say what it waits for."""

    deadline: float
    waiting_for: str

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def end_by(self, at: float) -> None:
        """Whatever is awaited now or next, until the answer's head is there, must not last longer than that."""
        ...

    def abandon(self) -> None:
        """Close at once; the sink hears nothing more."""
        ...


class UpstreamClient(Protocol):
    """Sends requests; the answer goes to the sink, its headers within `headers_s` seconds."""

    def send_kept(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> UpstreamConnection | None:
        """Over a pooled connection; None when there is none."""
        ...

    async def send_fresh(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> UpstreamConnection | Failure:
        """Over a new connection."""
        ...
