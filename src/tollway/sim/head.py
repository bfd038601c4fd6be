"""The head of a response: status line and headers, as bytes."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from tollway.sim.refusal import status_phrase

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


@lru_cache(maxsize=256)
def encode_head(
    status: int,
    content_type: str,
    length: int | None,
    *,
    chunked: bool,
    keep_alive: bool,
    extra: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """A response head; a header in `extra` replaces one of the same name."""
    headers = {"content-type": content_type}
    if content_type == EVENTS:
        headers["cache-control"] = "no-cache"
    if length is not None:
        headers["content-length"] = str(length)
    if chunked:
        headers["transfer-encoding"] = "chunked"
    if not keep_alive:
        headers["connection"] = "close"
    headers |= {name.lower(): value for name, value in extra}
    return f"HTTP/1.1 {status} {status_phrase(status)}\r\n{_lines(headers.items())}\r\n".encode("latin-1")


def encode_response(status: int, content_type: str, body: bytes, *, keep_alive: bool = True) -> bytes:
    """A whole plain response."""
    return encode_head(status, content_type, len(body), chunked=False, keep_alive=keep_alive) + body


def _lines(headers: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers)
