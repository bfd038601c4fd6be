"""Faults inside a body: pieces that are added, replaced or left out. What is wrong about the bytes around a body
(framing, pace, the connection) is in `framing.py`.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import Final

import msgspec

from tollway.sim.answer import Draft, Kind, Piece, error_event, halves
from tollway.sim.control import Fault

_FAKE_BODY: Final = b'{"id":"gen-fake","model":"sim/fake","choices":[]}'
FAKE_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_FAKE_BODY),
    _FAKE_BODY,
)
_GARBAGE: Final = (
    b"data: this is not JSON\n\n",
    b'data: {"unfinished": [1, 2\n\n',
    b"\x00\xff\xfe\x80\xc3\x28 no field name\n\n",
    b"data: \xf0\x28\x8c\x28\xed\xa0\x80\n\n",
    b"event: \xe2\x80\xa8\nid: \x00\nretry: soon\ndata:\n\n",
)
_BILLED_EVENT: Final = (
    b'data: {"id":"gen-stray","choices":[{"index":0,"delta":{"content":"stray"},"finish_reason":null}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":999999,"total_tokens":1000000,"cost":999}}\n\n'
)
_PADDING_BYTES: Final = 4096
_REPLACED: Final = frozenset({Fault.GARBAGE, Fault.BAD_JSON, Fault.LONG_LINE, Fault.ERROR_EVENT})


def spoil_stream(draft: Draft, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Apply the draft's fault to the events of a stream whose strike is marked."""
    fault = draft.control.fault
    for piece in pieces:
        if piece.kind is not Kind.STRIKE or fault not in _REPLACED:
            yield piece
            continue
        yield from (Piece(Kind.OPENING, event) for event in _stray_events(draft))
        if fault is Fault.ERROR_EVENT:
            yield Piece(Kind.LAST, b"data: [DONE]\n\n")
            return
    if fault is Fault.AFTER_DONE:
        yield Piece(Kind.LAST, _BILLED_EVENT + FAKE_ANSWER + b"\n\n")


def spoil_json(draft: Draft, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Apply the draft's fault to the two halves of a JSON body."""
    fault = draft.control.fault
    if fault is Fault.ENDLESS:
        yield Piece(Kind.OPENING, b'{"padding":"')
        yield from repeat(Piece(Kind.DELTA, b"x" * _PADDING_BYTES))
    if fault not in _REPLACED:
        yield from pieces
        return
    first, last = (piece for piece in pieces if piece.kind is not Kind.STRIKE)
    body = _spoiled_body(draft, first.data + last.data)
    yield from halves(body, first.completion_tokens, first.reasoning_tokens)


def _stray_events(draft: Draft) -> tuple[bytes, ...]:
    answer_id = draft.id.encode()
    match draft.control.fault:
        case Fault.GARBAGE:
            return _GARBAGE
        case Fault.BAD_JSON:
            return (b'data: {"id":"%s","choices":[{"index":0,,}\n\n' % answer_id,)
        case Fault.LONG_LINE:
            start, end = b'data: {"id":"%s","choices":[],"padding":"' % answer_id, b'"}'
            return (start + _padding(draft, start, end) + end + b"\n\n",)
        case _:
            return (error_event(draft),)


def _spoiled_body(draft: Draft, body: bytes) -> bytes:
    match draft.control.fault:
        case Fault.GARBAGE:
            return b"".join(_GARBAGE)
        case Fault.BAD_JSON:
            return body[:-1] + b",,}"
        case Fault.LONG_LINE:
            start, end = b'{"padding":"', b'",' + body[1:]
            return start + _padding(draft, start, end) + end
        case _:
            return _error_body(draft)


def _padding(draft: Draft, start: bytes, end: bytes) -> bytes:
    return b"x" * max(0, draft.control.bytes - len(start) - len(end))


def _error_body(draft: Draft) -> bytes:
    error = {"code": 502, "message": "Provider disconnected unexpectedly"}
    choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "error", "error": error}
    return msgspec.json.encode({"id": draft.id, "model": draft.model.id, "error": error, "choices": [choice]})
