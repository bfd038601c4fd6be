"""Undo a content coding an upstream used although it was asked for none, within bounds.

Output comes in steps of at most 64 KiB, so a small hostile body cannot become one huge chunk. Source: guarantees U6, L.
"""

import zlib
from collections.abc import Iterator
from typing import Final

STEP_BYTES: Final = 65_536
RATIO_MAX: Final = 100
_WINDOW_BITS: Final = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class CodingError(Exception):
    """The body is not what its content coding says, or grows beyond the bounds."""


class Decoder:
    """Incremental gzip/deflate decoder; `feed` yields decoded pieces."""

    def __init__(self, coding: bytes, bytes_max: int) -> None:
        """Raises CodingError for a coding that is not known."""
        bits = _WINDOW_BITS.get(coding.strip().lower())
        if bits is None:
            raise CodingError("unknown content coding")
        self._bits = bits
        self._inflate = zlib.decompressobj(bits)
        self._bytes_max = bytes_max
        self._in = 0
        self._out = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces of `data`. Raises CodingError."""
        self._in += len(data)
        while data:
            if self._inflate.eof:  # a body may be several members, one after the other
                self._inflate = zlib.decompressobj(self._bits)
            try:
                piece = self._inflate.decompress(data, STEP_BYTES)
            except zlib.error:
                raise CodingError("the body does not match its content coding") from None
            self._out += len(piece)
            if max(self._in, self._out) > self._bytes_max or self._out > STEP_BYTES + RATIO_MAX * self._in:
                raise CodingError("the decoded body is too large")
            if piece:
                yield piece
            data = self._inflate.unused_data or self._inflate.unconsumed_tail

    def finish(self) -> None:
        """Raises CodingError when the body ended early."""
        if not self._inflate.eof:
            raise CodingError("the compressed body is incomplete")
