"""What the head of an upstream's answer says, as far as it is passed on or acted upon. Read in one pass."""

from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

EVENT_STREAM: Final = b"text/event-stream"
RETRY_AFTER_S_MAX: Final = 86_400
BODILESS: Final = frozenset({204, 304})


class AnswerHead(Struct, frozen=True):
    """`content_type`, `date` and `request_id` are passed on as they are; everything else the upstream said stays here.

    `is_framed`: the answer says itself where it ends; otherwise it ends with its connection. `coding`: the content
    coding, empty for none. `own_request_id` is that of x-request-id, which gateways write; it stays here, because ours
    takes its place."""

    status: int = 0
    content_type: bytes = b"application/json"
    date: bytes = b""
    retry_after_s: int | None = None
    is_framed: bool = False
    coding: bytes = b""
    request_id: bytes = b""
    own_request_id: bytes = b""

    @property
    def is_stream(self) -> bool:
        return 200 <= self.status < 300 and self.content_type[:17].lower() == EVENT_STREAM


NO_HEAD: Final = AnswerHead()


def read_answer_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> AnswerHead:
    """Header names are lower-cased already."""
    content_type, date, retry_after, coding, request_id = NO_HEAD.content_type, b"", b"", b"", b""
    own_request_id = b""
    is_framed = status in BODILESS
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"date":
            date = value
        elif name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value.lower()):
            is_framed = True
        elif name == b"retry-after":
            retry_after = value
        elif name == b"content-encoding":
            coding = value.strip().lower()
        elif name == b"request-id":
            request_id = value
        elif name == b"x-request-id":
            own_request_id = value
    retry_after_s = read_retry_after(retry_after, date) if retry_after else None
    coding = b"" if coding == b"identity" else coding
    return AnswerHead(status, content_type, date, retry_after_s, is_framed, coding, request_id, own_request_id)


def headers_shown(content_type: bytes, date: bytes, request_id: bytes) -> bytes:
    """The lines of a good answer's head that are an upstream's, each ended by CR LF; empty ones are left out.

    Whatever its coding was, it has been undone. Source: response-path 2.1.
    """
    named = b"request-id: %b\r\n" % request_id if request_id else b""
    dated = b"date: %b\r\n" % date if date else b""
    return b"content-type: %b\r\ncontent-encoding: identity\r\n%b%b" % (content_type, dated, named)


def read_retry_after(value: bytes, date: bytes) -> int | None:
    """Seconds of a Retry-After header: digits, or a date, which counts from the answer's own Date header."""
    text = value.strip()
    if text.isdigit():
        return min(int(text[:6]), RETRY_AFTER_S_MAX) if len(text) <= 6 else RETRY_AFTER_S_MAX
    try:
        wait = parsedate_to_datetime(text.decode("ascii")) - parsedate_to_datetime(date.decode("ascii"))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, min(round(wait.total_seconds()), RETRY_AFTER_S_MAX))
