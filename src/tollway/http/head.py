"""What a request head must look like before any parser sees it. Pure.

llhttp already refuses most of what guarantees N5 lists; here is the rest: sizes, counts, and what it takes too lightly.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from tollway.errors import Code
from tollway.settings import Limits

_UPGRADE: Final = re.compile(rb"(?i)(?<=\r\n)upgrade:")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
_JSON: Final = re.compile(rb"""(?i)application/json[ \t]*(?:;[ \t]*charset="?utf-?8"?[ \t]*)?\Z""")
_TRAPS: Final = re.compile(rb"(?i)%(?:2f|5c|7f|[01][0-9a-f])|%(?![0-9a-f]{2})|[\\#]")
_LINE_TRAPS: Final = re.compile(rb"\0|(?<!\r)\n|\r(?=[^\n])")
_LINE_START: Final = re.compile(rb"[A-Z][A-Z-]*(?: |\Z)")
_BLANK_LINES: Final = re.compile(rb"(?:\r\n)*")
_VERSIONS: Final = (b" HTTP/1.1", b" HTTP/1.0")
_METHOD_BYTES_MAX: Final = 32
_SPACE: Final = 32  # llhttp passes over line ends, whole or not, before a request


def blank_lines(head: bytearray) -> int:
    """Bytes of empty lines before a request; clients of old send one behind a body (RFC 9112 §2.2)."""
    found = _BLANK_LINES.match(head)
    return found.end() if found else 0


def check_head(head: bytes, limits: Limits) -> Code | None:
    """`head` is the request line and all headers with their final blank line."""
    line_end = head.find(b"\r\n")
    if line_end > limits.request_line_bytes:
        return Code.URI_TOO_LONG
    if len(head) - line_end - 4 > limits.headers_bytes or head.count(b"\r\n") - 2 > limits.headers_count:
        return Code.HEADERS_TOO_LARGE
    if head[0] <= _SPACE or not head.endswith(_VERSIONS, 0, line_end) or head.count(b" ", 0, line_end) != 2:
        return Code.MALFORMED_HTTP
    return None


def check_partial_head(head: bytearray, fresh: int, limits: Limits) -> Code | None:
    """As much of a head as has come: what can only turn out wrong is wrong now. From `fresh` on it is new."""
    line_end = head.find(b"\r\n", 0, limits.request_line_bytes + 2)
    if line_end < 0:
        if len(head) > limits.request_line_bytes + 1:  # its last byte may be the line end's first
            return Code.URI_TOO_LONG
        if not _LINE_START.match(head[:_METHOD_BYTES_MAX]):
            return Code.MALFORMED_HTTP
    elif len(head) - line_end - 4 > limits.headers_bytes:
        return Code.HEADERS_TOO_LARGE
    elif not head.endswith(_VERSIONS, 0, line_end) or head.count(b" ", 0, line_end) != 2:
        return Code.MALFORMED_HTTP
    return Code.MALFORMED_HTTP if _LINE_TRAPS.search(head, max(0, fresh - 1)) else None


def without_upgrade(head: bytes) -> bytes:
    """Upgrades are never taken, and under another name the parser reads on as for any request (RFC 9110 §7.8).

    The underscore makes it a header that is dropped; the line stays, so that its value is still checked.
    """
    return _UPGRADE.sub(b"_pgrade:", head) if b"\nupgrade:" in head.lower() else head


def is_chunked(coding: bytes) -> bool:
    """Chunked is the one transfer coding."""
    return coding.lower() == b"chunked"


def is_host(value: bytes) -> bool:
    """host[:port] and nothing else."""
    return _HOST.match(value) is not None


def is_json(content_type: bytes) -> bool:
    """JSON in UTF-8, as JSON always is."""
    return content_type == b"application/json" or _JSON.match(content_type) is not None


def plain_path(path: bytes) -> bytes | None:
    """The decoded path, which routing and authorization both use.

    None for what two readers could read differently: encoded slashes, backslashes or control characters, broken
    escapes, dot segments, invalid UTF-8, or no path at all (absolute and authority form).
    """
    if not path.startswith(b"/") or not path.isascii() or _TRAPS.search(path):
        return None
    decoded = unquote_to_bytes(path) if b"%" in path else path
    try:
        decoded.decode()
    except UnicodeDecodeError:
        return None
    if b"/." in decoded and any(segment in (b".", b"..") for segment in decoded.split(b"/")):
        return None
    return decoded
