"""What a request head must look like before any parser sees it. Pure.

llhttp already refuses most of what guarantees N5 lists; here is the rest: sizes, counts, and what it takes too lightly.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from tollway.errors import Code
from tollway.settings import Limits

_UPGRADE: Final = re.compile(rb"(?i)\r\nupgrade:[^\r\n]*")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
_ENCODED_TRAPS: Final = re.compile(rb"(?i)%(?:2f|5c|00)")


def check_sizes(head: bytes | bytearray, limits: Limits) -> Code | None:
    """`head` is the request line and all headers with their final blank line, or as much as has come of them."""
    line_end = head.find(b"\r\n")
    if line_end > limits.request_line_bytes or (line_end < 0 and len(head) > limits.request_line_bytes):
        return Code.URI_TOO_LONG
    headers_bytes = len(head) - line_end - 4
    if headers_bytes > limits.headers_bytes or head.count(b"\r\n") - 2 > limits.headers_count:
        return Code.HEADERS_TOO_LARGE
    return None


def without_upgrade(head: bytes) -> bytes:
    """Upgrades are never taken, and without the header the parser reads on as for any request (RFC 9110 §7.8)."""
    return _UPGRADE.sub(b"", head) if b"pgrade:" in head.lower() else head


def check_version(version: str, transfer_coding: bytes | None) -> Code | None:
    """HTTP/1.0 and 1.1 only; chunked is the one transfer coding, and 1.0 has none."""
    if version not in ("1.1", "1.0"):
        return Code.MALFORMED_HTTP
    if transfer_coding is not None and (version == "1.0" or transfer_coding.strip().lower() != b"chunked"):
        return Code.MALFORMED_HTTP
    return None


def is_host(value: bytes) -> bool:
    """host[:port] and nothing else."""
    return bool(value) and _HOST.match(value) is not None


def is_plain_path(path: bytes) -> bool:
    """No encoded slash, backslash or NUL, no dot segment, valid UTF-8: one reading for routing and authorization."""
    if b"%" not in path and b"/." not in path:
        return True
    if _ENCODED_TRAPS.search(path):
        return False
    decoded = unquote_to_bytes(path)
    try:
        decoded.decode()
    except UnicodeDecodeError:
        return False
    return not any(segment in (b".", b"..") for segment in decoded.split(b"/"))
