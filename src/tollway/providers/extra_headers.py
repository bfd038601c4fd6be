"""Headers that rules add to a prepared head. They win over what is there. Source: request-path 11.12.1."""

import re
from collections.abc import Mapping
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9-]+")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "x-request-id"})


def with_headers(rest: bytes, headers: Mapping[str, str]) -> bytes:
    """`rest`: a head from the HTTP version on, as complete lines. Names of `headers` are lower-case.

    Raises ValueError for what would break the head or is the gateway's own to say: a rule is wrong.
    """
    added = "".join([_line(name, value) for name, value in headers.items()]).encode()
    lower = rest.lower()
    if any(b"\r\n%b:" % name.encode() in lower for name in headers):
        rest = _without(rest, headers)
    return rest + added


def _line(name: str, value: str) -> str:
    if name in _OURS or not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
        raise ValueError(f"a rule adds a header that must not be sent: {name!r}")
    return f"{name}: {value}\r\n"


def _without(rest: bytes, headers: Mapping[str, str]) -> bytes:
    kept = [line for line in rest.splitlines(keepends=True) if line.partition(b":")[0].lower().decode() not in headers]
    return b"".join(kept)
