"""How the body of an answer is framed and coded, as its head says."""

from collections.abc import Iterable
from dataclasses import dataclass

_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Framing:
    """`is_framed`: the answer says itself where it ends; otherwise it ends with its connection. `coding`: the content
    coding, empty for none."""

    is_framed: bool
    coding: bytes


def read_framing(status: int, headers: Iterable[tuple[bytes, bytes]]) -> Framing:
    """Header names are lower-cased already."""
    is_framed, coding = status in _BODILESS, b""
    for name, value in headers:
        if name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value.lower()):
            is_framed = True
        elif name == b"content-encoding":
            coding = value.strip().lower()
    return Framing(is_framed, b"" if coding == b"identity" else coding)
