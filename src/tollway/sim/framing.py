"""From pieces to steps: the head, the framing of the body, the pace, and every fault that is not in the body itself.

An answer with a Content-Length is measured first, so it is built whole; a chunked one is made as it is sent.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tollway.sim.answer import Kind, Piece
from tollway.sim.control import Control, Fault
from tollway.sim.faults import FAKE_ANSWER
from tollway.sim.head import EVENTS, encode_head
from tollway.sim.steps import Ended, Leave, Send, Step, Wait

_LAST_CHUNK: Final = b"0\r\n\r\n"
_NEED_CHUNKS: Final = frozenset({Fault.END_EARLY, Fault.HANG_AFTER_DONE, Fault.BAD_CHUNKING, Fault.ENDLESS})
_NEED_LENGTH: Final = frozenset({Fault.SHORT_LENGTH, Fault.LONG_LENGTH})
_UNANSWERED: Final = frozenset(
    {Fault.STALL_HEADERS, Fault.RESET_BEFORE, Fault.CLOSE_BEFORE, Fault.NOT_HTTP, Fault.REDIRECT}
)
_STOPPED: Final = frozenset({Fault.STALL, Fault.RESET, Fault.HALF_CLOSE, Fault.CUT, Fault.END_EARLY})
_MISSING_BYTES: Final = 100
_BIG_HEADERS: Final = tuple((f"x-padding-{index}", "x" * 16_384) for index in range(64))
_INFORMATIONAL: Final = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n" * 500
_NOT_HTTP: Final = b"SSH-2.0-standin_1.0\r\n\x00\x01\x02\xff this is no HTTP answer\r\n\r\n"

Frame = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """A response about to be framed. `ending` is what the record says if nothing stops it."""

    status: int
    content_type: str
    pieces: Iterable[Piece]
    control: Control
    keep_alive: bool = True
    ending: str = "complete"


def reply_steps(reply: Reply) -> Iterator[Step]:
    """Everything that happens on the connection for this reply."""
    control, fault = reply.control, reply.control.fault
    if control.first_delay_ms:
        yield Wait(control.first_delay_ms)
    if fault is not None and fault in _UNANSWERED:
        yield Ended(fault.value)
        yield from _unanswered_steps(control)
        return
    chunked = fault not in _NEED_LENGTH and (reply.content_type == EVENTS or fault in _NEED_CHUNKS)
    pieces, length = reply.pieces, None
    if not chunked or fault is Fault.BOTH_LENGTHS:
        pieces = list(pieces)
        length = sum(len(piece.data) for piece in pieces) + _MISSING_BYTES * (fault is Fault.SHORT_LENGTH)
    chunked = chunked or fault is Fault.BOTH_LENGTHS
    if fault is Fault.MANY_1XX:
        yield Send(_INFORMATIONAL)
    extra = _extra_headers(control)
    yield Send(
        encode_head(reply.status, reply.content_type, length, chunked=chunked, keep_alive=reply.keep_alive, extra=extra)
    )
    if control.first_event_delay_ms:
        yield Wait(control.first_event_delay_ms)
    yield from _body_steps(reply, iter(pieces), _frame_chunk if chunked else bytes, _LAST_CHUNK if chunked else b"")


def replay_steps(recording: bytes, control: Control) -> Iterator[Step]:
    """A recorded response, sent verbatim; then the connection is closed."""
    if control.first_delay_ms:
        yield Wait(control.first_delay_ms)
    yield Ended("complete")
    yield Send(recording)
    yield Leave.CLOSE


def _body_steps(reply: Reply, pieces: Iterator[Piece], frame: Frame, end: bytes) -> Iterator[Step]:
    control, fault = reply.control, reply.control.fault
    delay_ms, drip_ms = control.delay_ms, None
    ended = False
    for piece in pieces:
        kind, data = piece.kind, frame(piece.data)
        if kind is Kind.STRIKE:
            if fault is not None and fault in _STOPPED:
                yield Ended(fault.value)
                yield from _stopped_steps(fault, frame(next(pieces).data), end)
                return
            drip_ms = control.drip_ms if fault is Fault.DRIP else None
            data = b"not-a-size\r\nlost\r\n" if fault is Fault.BAD_CHUNKING else b""
        elif kind is Kind.LAST and not ended:
            ended = True
            yield Ended(reply.ending)
        elif kind is Kind.DELTA and delay_ms:
            yield Wait(delay_ms)
        send = Send(data, piece.completion_tokens, piece.reasoning_tokens, piece.reported_usage)
        if drip_ms is None:
            yield send
        else:
            yield from _drip(send, drip_ms)
    if not ended:
        yield Ended(reply.ending)
    if drip_ms is not None:
        yield from _drip(Send(end), drip_ms)
        end = b""
    yield from _tail_steps(reply, end)


def _tail_steps(reply: Reply, end: bytes) -> Iterator[Step]:
    match reply.control.fault:
        case Fault.HANG_AFTER_DONE:
            yield Leave.HOLD
        case Fault.SHORT_LENGTH:
            yield Leave.CLOSE
        case Fault.LONG_LENGTH | Fault.AFTER_DONE:
            yield Send(end + FAKE_ANSWER)
            yield Leave.KEEP_ALIVE
        case _:
            yield Send(end)
            yield Leave.KEEP_ALIVE if reply.keep_alive else Leave.CLOSE


def _drip(send: Send, drip_ms: float) -> Iterator[Step]:
    for position in range(len(send.data)):
        yield Wait(drip_ms)
        last = position == len(send.data) - 1
        yield send._replace(data=send.data[-1:]) if last else Send(send.data[position : position + 1])


def _frame_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def _extra_headers(control: Control) -> tuple[tuple[str, str], ...]:
    encoding = (("content-encoding", control.content_encoding),) if control.content_encoding else ()
    padding = _BIG_HEADERS if control.fault is Fault.BIG_HEADERS else ()
    return (*encoding, *padding, *control.headers)


def _unanswered_steps(control: Control) -> Iterator[Step]:
    match control.fault:
        case Fault.STALL_HEADERS:
            yield Leave.HOLD
        case Fault.RESET_BEFORE:
            yield Leave.RESET
        case Fault.REDIRECT:
            headers = (("location", control.location), *control.headers)
            yield Send(encode_head(302, "text/plain", 0, chunked=False, keep_alive=True, extra=headers))
            yield Leave.KEEP_ALIVE
        case Fault.NOT_HTTP:
            yield Send(_NOT_HTTP)
            yield Leave.CLOSE
        case _:
            yield Leave.CLOSE


def _stopped_steps(fault: Fault, next_data: bytes, end: bytes) -> Iterator[Step]:
    match fault:
        case Fault.STALL:
            yield Leave.HOLD
        case Fault.RESET:
            yield Leave.RESET
        case Fault.HALF_CLOSE:
            yield Leave.HALF_CLOSE
        case Fault.CUT:
            yield Send(next_data[: len(next_data) // 2])
            yield Leave.CLOSE
        case _:
            yield Send(end)
            yield Leave.KEEP_ALIVE
