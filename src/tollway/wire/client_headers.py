"""What clients say about themselves in headers, and what an edge in front of us says about them. Pure.

Header names are lower-cased, repeated ones joined by ", " (a list). Each `x-kilocode-…` name has a neutral twin,
`x-tollway-…`; where both are sent, the twin counts. Source: request-path 13.1 to 13.6, 13.11.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Final

from msgspec import Struct

Headers = Mapping[bytes, bytes]

LIMITED_CHARS_MAX: Final = 500
FRAUD_CHARS_MAX: Final = 2_048
PROJECT_CHARS_MAX: Final = 256

_NUMBER: Final = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_VERSION: Final = re.compile(r"([0-9]+)(?:\.([0-9]+)(?:\.([0-9]+))?)?(?:-[A-Za-z0-9.]+)?(?=\s|\Z)")
_WEB_PROJECT: Final = re.compile(r"https?://[^/]+/([^\s?#]+?)(?:\.git)?", re.IGNORECASE)
_SSH_PROJECT: Final = re.compile(r"git@[^:]+:(\S+?)(?:\.git)?", re.IGNORECASE)


class FraudHeaders(Struct, frozen=True):
    """What is recorded about where a request came from, and decides nothing. None: not sent, or nobody to believe."""

    http_x_forwarded_for: str | None = None
    http_x_vercel_ip_city: str | None = None
    http_x_vercel_ip_country: str | None = None
    http_x_vercel_ip_latitude: float | None = None
    http_x_vercel_ip_longitude: float | None = None
    http_x_vercel_ja4_digest: str | None = None
    http_user_agent: str | None = None


def read_header(headers: Headers, name: bytes) -> str | None:
    """The value of `x-kilocode-<name>` or of its twin, as it was sent. An empty twin gives way."""
    value = headers.get(b"x-tollway-" + name) or headers.get(b"x-kilocode-" + name)
    return None if value is None else value.decode("latin-1")


def limited(value: str | None) -> str | None:
    """Cut to LIMITED_CHARS_MAX characters first, then trimmed; None when nothing is left."""
    return value[:LIMITED_CHARS_MAX].strip() or None if value else None


def leading_number(value: str | None) -> float | None:
    """The decimal number a value begins with; None when it begins with none, or with one that is not finite."""
    found = _NUMBER.match(value) if value else None
    number = float(found[1]) if found else None
    return number if number is not None and isfinite(number) else None


def version_number(value: str | None) -> float:
    """`major[.minor[.patch]]`, with or without a `-tag`, as major + minor/1000 + patch/1000000; 0 for anything else."""
    found = _VERSION.match(value) if value else None
    if found is None:
        return 0.0
    major, minor, patch = (float(part or 0) for part in found.groups())
    number = major + minor / 1_000 + patch / 1_000_000
    return number if isfinite(number) else 0.0


def project_id(value: str | None) -> str | None:
    """The name of a repository from its web or SSH address; any other value as it is, white space included.

    Cut to PROJECT_CHARS_MAX characters before anything is looked at. Of `.git` endings one is dropped.
    """
    if not value:
        return None
    cut = value[:PROJECT_CHARS_MAX]
    found = _WEB_PROJECT.fullmatch(cut) or _SSH_PROJECT.fullmatch(cut)
    return found[1].rpartition("/")[2] or None if found else cut


def read_fraud_headers(headers: Headers, is_peer_trusted: bool, forwarded_for: str | None) -> FraudHeaders:
    """`is_peer_trusted`: the peer is a proxy of ours; of anyone else only the user agent counts. `forwarded_for`: what
    is stored for the client's address, a keyed hash unless the operator wants it in clear."""
    user_agent = _recorded(headers, b"user-agent")
    if not is_peer_trusted:
        return FraudHeaders(http_user_agent=user_agent)
    return FraudHeaders(
        http_x_forwarded_for=forwarded_for if b"x-forwarded-for" in headers else None,
        http_x_vercel_ip_city=_recorded(headers, b"x-vercel-ip-city"),
        http_x_vercel_ip_country=_recorded(headers, b"x-vercel-ip-country"),
        http_x_vercel_ip_latitude=leading_number(_recorded(headers, b"x-vercel-ip-latitude")),
        http_x_vercel_ip_longitude=leading_number(_recorded(headers, b"x-vercel-ip-longitude")),
        http_x_vercel_ja4_digest=_recorded(headers, b"x-vercel-ja4-digest"),
        http_user_agent=user_agent,
    )


def _recorded(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value[:FRAUD_CHARS_MAX].decode("latin-1")
