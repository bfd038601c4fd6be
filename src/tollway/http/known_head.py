"""The head a connection sent last: a client that stays sends the same again, but for the length of its body. Pure."""

import re
from typing import Final

from tollway.wire.http_head import is_length

_LENGTH: Final = re.compile(rb"(?i)(\r\ncontent-length:[ \t]*)([0-9]+)")


class KnownHead:
    """Remembers one good head, to recognise it before anything is read."""

    def __init__(self) -> None:
        self._before = b""  # the head up to the digits of its length; empty: none is known
        self._after = b""

    def remember(self, head: bytes) -> None:
        """`head` was read without doubt, so it has at most one content-length."""
        found = _LENGTH.search(head)
        self._before, self._after = (head[: found.end(1)], head[found.end(2) :]) if found else (b"", b"")

    def forget(self) -> None:
        self._before = b""

    def find_in(self, data: bytes) -> tuple[bytes, int] | None:
        """The digits of its length and where the head ends, when `data` begins with the known one but for them."""
        before, after = self._before, self._after
        if not before or not data.startswith(before):
            return None
        at = len(before)
        end = data.find(b"\r", at)
        length = data[at:end]
        return (length, end + len(after)) if is_length(length) and data.startswith(after, end) else None
