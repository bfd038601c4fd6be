"""An upstream's answer that came in one piece and is beyond doubt, read without a parser. Pure.

Most short answers are like that, and a parser that calls back for each line costs several times as much. Whatever is in
any way unusual is left to it: None. Never more lenient than that one; a property test holds the two together.
Most lines of a head are those of the head before, so what a line says is remembered.
"""

import re
from typing import Final, TypeAlias

from tollway.wire.answer_head import BODILESS, EVENT_STREAM, NO_HEAD, AnswerHead

LINES_KEPT_MAX: Final = 2_000
KEPT_BYTES_MAX: Final = 200  # of one line

_PASSED_OVER, _LENGTH, _TYPE, _DATE, _REQUEST_ID, _OWN_REQUEST_ID = range(6)  # what a line is about
Line: TypeAlias = tuple[int, bytes]  # and its value, where that counts

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*").fullmatch
_FIELD: Final = re.compile(rb"([!#$%&'*+.^`|~0-9A-Za-z-]{1,64}):[ \t]*([\t\x20-\x7e\x80-\xff]*)").fullmatch
_DIGITS: Final = re.compile(rb"[0-9]{1,12}").fullmatch
# What decides on framing, reading or patience: an answer with one of these is for the parser.
_DOUBTFUL: Final = frozenset({b"content-encoding", b"retry-after", b"trailer", b"transfer-encoding", b"upgrade"})

_statuses: Final[dict[bytes, int]] = {}
_lines: Final[dict[bytes, Line]] = {}


def whole_answer(data: bytes, head_bytes_max: int) -> tuple[AnswerHead, bytes] | None:
    """Head and body of `data` if it is exactly one final answer that says its length, is no stream, has no coding, asks
    for no patience, and leaves its connection open."""
    end = data.find(b"\r\n\r\n") + 4
    if not 3 < end <= head_bytes_max:
        return None
    first, *lines = data[: end - 4].split(b"\r\n")
    status = _statuses.get(first) or _read_status(first)
    content_type, date, request_id, own_request_id, length = NO_HEAD.content_type, b"", b"", b"", b""
    for line in lines:
        what, value = _lines.get(line) or _read_line(line) or _UNCLEAR
        if what == _PASSED_OVER:
            continue
        if what == _LENGTH and not length:
            length = value
        elif what == _TYPE:
            content_type = value
        elif what == _DATE:
            date = value
        elif what == _REQUEST_ID:
            request_id = value
        elif what == _OWN_REQUEST_ID:
            own_request_id = value
        else:
            return None
    if not status or not length or int(length) != len(data) - end:
        return None
    return AnswerHead(status, content_type, date, None, True, b"", request_id, own_request_id), data[end:]


_UNCLEAR: Final = (-1, b"")


def _read_status(line: bytes) -> int:
    """0 for one that is not ordinary."""
    found = _STATUS_LINE(line)
    status = int(found[1]) if found else 0
    if not status or status in BODILESS:
        return 0
    if len(_statuses) < LINES_KEPT_MAX and len(line) <= KEPT_BYTES_MAX:
        _statuses[line] = status
    return status


def _read_line(line: bytes) -> Line | None:
    """None for one that is not ordinary."""
    field = _FIELD(line)
    read = _meaning(field[1].lower(), field[2]) if field else None
    if read is not None and read[0] < _REQUEST_ID and len(line) <= KEPT_BYTES_MAX:
        if len(_lines) >= LINES_KEPT_MAX:
            _lines.clear()
        _lines[line] = read
    return read


def _meaning(name: bytes, value: bytes) -> Line | None:
    if name == b"content-length":
        return (_LENGTH, value) if _DIGITS(value) else None
    if name == b"content-type":
        return None if value[: len(EVENT_STREAM)].lower() == EVENT_STREAM else (_TYPE, value)
    if name == b"date":
        return _DATE, value
    if name == b"request-id":
        return _REQUEST_ID, value
    if name == b"x-request-id":
        return _OWN_REQUEST_ID, value
    if name == b"connection":
        return (_PASSED_OVER, b"") if value.lower() == b"keep-alive" else None
    return None if name in _DOUBTFUL else (_PASSED_OVER, b"")
