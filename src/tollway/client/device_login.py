"""Logging in at a Tollway by approving a code in a browser: what is asked, and what its answers mean.

Every text of an answer is a stranger's: it is checked before it reaches a terminal, a browser or a path.
Source: catalog-and-clients B.12, D.3.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import DecodeError, Struct
from msgspec.json import decode

from tollway.catalog.client_listing import safe_text
from tollway.client.credentials import OauthCredential
from tollway.client.errors import ClientError

CODES: Final = "/api/device-auth/codes"
PROFILE: Final = "/api/profile"
POLL_S: Final = 3.0
VALID_MS: Final = 365 * 24 * 3_600 * 1_000  # the token says itself when it ends; this is about a year
_CODE: Final = re.compile(r"[0-9A-Za-z-]{4,32}")
_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,100}")
_WAIT_S_MAX: Final = 3_600
_CREATED: Final = range(200, 300)


class DeviceCode(Struct, frozen=True):
    """What to show: the code, where to approve it, and for how many seconds that can be done."""

    code: str
    url: str
    expires_in_s: int


class Verdict(StrEnum):
    """How a code stands. FAILED: no answer that says so; it may be asked again."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"


class Polled(Struct, frozen=True):
    """One answer about a code. `token` and `email` are there once it is approved."""

    verdict: Verdict
    token: str = ""
    email: str = ""

    def __repr__(self) -> str:
        return "Polled(…)"


class Membership(Struct, frozen=True):
    """An organization that may be acted for."""

    id: str
    name: str
    role: str


def read_code(status: int, body: bytes) -> DeviceCode:
    """The answer to a POST on CODES. Raises ClientError."""
    if status == 429:
        raise ClientError("too many logins wait for approval from this address; wait ten minutes and try again")
    answer = _object(body) if status in _CREATED else {}
    code, url, seconds = answer.get("code"), answer.get("verificationUrl"), answer.get("expiresIn")
    match code, url, seconds:
        case str(), str(), int() if _CODE.fullmatch(code) and _is_page(url):
            return DeviceCode(code, url, max(1, min(seconds, _WAIT_S_MAX)))
    raise ClientError(f"the gateway offers no login by code (it answered {status or 'nothing'})")


def _is_page(url: str) -> bool:
    """What may be opened in a browser: a page, and no other kind of address."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def read_poll(status: int, body: bytes) -> Polled:
    """The answer to a GET of CODES/{code}."""
    match status:
        case 200:
            answer = _object(body)
            token = answer.get("token")
            if answer.get("status") == "approved" and isinstance(token, str) and token.strip():
                return Polled(Verdict.APPROVED, token.strip(), safe_text(answer.get("userEmail")))
            return Polled(Verdict.FAILED)
        case 202:
            return Polled(Verdict.PENDING)
        case 403:
            return Polled(Verdict.DENIED)
        case 404 | 410:
            return Polled(Verdict.EXPIRED)
        case _:
            return Polled(Verdict.FAILED)


def read_memberships(status: int, body: bytes) -> tuple[Membership, ...]:
    """The organizations of an answer to PROFILE; none where there are none, or where it cannot be told."""
    listed = _object(body).get("organizations") if status == 200 else None
    found = (_membership(one) for one in listed) if isinstance(listed, list) else ()
    return tuple(one for one in found if one)


def _membership(value: object) -> Membership | None:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not _ID.fullmatch(value["id"]):
        return None
    return Membership(value["id"], safe_text(value.get("name")) or value["id"], safe_text(value.get("role")))


def login_credential(token: str, organization_id: str, root: str, now_ms: int) -> OauthCredential:
    """What is stored; `root` is the gateway's address without a path."""
    return OauthCredential(
        refresh=token, access=token, expires=now_ms + VALID_MS, account_id=organization_id, enterprise_url=root
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = decode(body)
    except (DecodeError, RecursionError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
