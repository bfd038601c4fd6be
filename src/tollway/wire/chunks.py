"""Chunks of a chunked body that lie whole in what was received. Pure."""

import re
from typing import Final

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,7}\r\n").match


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
