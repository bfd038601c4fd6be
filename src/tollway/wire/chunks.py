"""Chunks of a chunked body that lie whole in what was received. Pure."""

import re
from functools import lru_cache
from typing import Final

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,7}\r\n").match
_SIZE_DIGITS_MAX: Final = 7


def lone_chunk(data: bytes) -> int:
    """Where the body begins when `data` is exactly one chunk whose size is written as plainly as can be, so that it can
    be passed on as it came. 0: it is not."""
    heads = _heads(len(data))
    return len(heads[0]) if data.startswith(heads) and data.endswith(b"\r\n") else 0


@lru_cache(maxsize=4_096)  # chunks of the same length come again and again
def _heads(size: int) -> tuple[bytes, ...]:
    """How a chunk of so many bytes in all begins: in small letters, in capitals. Empty: none has that length."""
    for digits in range(1, _SIZE_DIGITS_MAX + 1):
        body = size - digits - 4
        if body > 0 and len(f"{body:x}") == digits:
            return b"%x\r\n" % body, b"%X\r\n" % body
    return ()


def whole_chunks(data: bytes) -> tuple[bytes, bytes]:
    """The bodies of the whole chunks that `data` begins with, joined, and what follows them: the start of another, the
    last chunk, or whatever is unusual (an extension, a size that is not plainly written)."""
    at, pieces = 0, []
    while found := _SIZE(data, at):
        begin = found.end()
        end = begin + int(found[0], 16)
        if end == begin or data[end : end + 2] != b"\r\n":
            break
        pieces.append(data[begin:end])
        at = end + 2
    return b"".join(pieces), data[at:]
