"""The head a connection sent last: a client that stays sends the same again, but for the length of its body. Pure."""

import re
from typing import Final

_LENGTH: Final = re.compile(rb"(?i)(\r\ncontent-length:[ \t]*)([0-9]+)")
_LENGTH_DIGITS_MAX: Final = 12


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

    def length_of(self, head: bytes) -> bytes:
        """The digits of its length when `head` is the known one but for them, else b""."""
        before, after = self._before, self._after
        if not before or not head.startswith(before) or not head.endswith(after):
            return b""
        length = head[len(before) : -len(after)]
        return length if is_length(length) else b""


def is_length(digits: bytes) -> bool:
    """A content-length as everybody reads it."""
    return digits.isdigit() and len(digits) <= _LENGTH_DIGITS_MAX
