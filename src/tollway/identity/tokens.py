"""Bearer tokens signed by another system: HS256 JWTs, checked strictly and without I/O.

The token's header chooses nothing (guarantees A1): algorithm and key come from the settings. PyJWT verifies the
signature; everything it takes too lightly (padding, digit strings, doubled claims, missing `exp`) is checked here.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final

import jwt

from tollway.identity.caller import Refusal

ALGORITHM: Final = "HS256"
VERSION: Final = 3
TOKEN_BYTES_MAX: Final = 4_096
LIFE_SECONDS_MAX: Final = 157_680_000  # five years, the longest the reference issues

_jws: Final = jwt.PyJWS(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class TokenRules:
    """How tokens are checked; `environment` "" means the claim is not compared. Skews are whole seconds."""

    secret: bytes
    environment: str = ""
    skew_s: int = 60
    expiry_skew_s: int = 0


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. The organization is deliberately not among it (request-path 6.1.4)."""

    user_id: str
    pepper: str | None
    bot_id: str | None
    token_source: str | None
    expires_at: int  # unix seconds


def read_token(token: str, rules: TokenRules, now: int) -> Claims | Refusal:
    """Check a token at the instant `now` (unix seconds). Reasons: invalid, expired, version."""
    parts = token.split(".")
    if len(token) > TOKEN_BYTES_MAX or len(parts) != 3 or not all(_is_canonical(part) for part in parts):
        return Refusal("invalid")
    header = _object(parts[0])
    if header is None or header.get("alg") != ALGORITHM or "crit" in header:
        return Refusal("invalid")
    try:
        payload = _jws.decode(token, rules.secret, algorithms=[ALGORITHM])
    except jwt.PyJWTError:
        return Refusal("invalid")
    claims = _members(payload)
    return Refusal("invalid") if claims is None else _check_claims(claims, rules, now)


def _check_claims(claims: dict[str, Any], rules: TokenRules, now: int) -> Claims | Refusal:
    version, user_id = claims.get("version"), claims.get("kiloUserId")
    if version.__class__ is not int or not user_id or not _is_text(user_id):
        return Refusal("invalid")
    if version != VERSION:
        return Refusal("version", user_id)
    expires, issued, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf")
    if expires.__class__ is not int or any(at is not None and at.__class__ is not int for at in (issued, not_before)):
        return Refusal("invalid", user_id)
    if now >= expires + rules.expiry_skew_s:
        return Refusal("expired", user_id)
    if any(at is not None and at > now + rules.skew_s for at in (issued, not_before)):
        return Refusal("invalid", user_id)
    if expires - (now if issued is None else issued) > LIFE_SECONDS_MAX:
        return Refusal("invalid", user_id)
    environment = claims.get("env")
    if rules.environment and environment is not None and environment != rules.environment:
        return Refusal("invalid", user_id)
    texts = {name: claims.get(name) for name in ("apiTokenPepper", "botId", "tokenSource")}
    if any(text is not None and not _is_text(text) for text in texts.values()):
        return Refusal("invalid", user_id)
    return Claims(user_id, texts["apiTokenPepper"], texts["botId"], texts["tokenSource"], expires)


def pepper_matches(stored: str | None, claimed: str | None) -> bool:
    """A row without pepper takes any token (taken-over accounts); otherwise compared in constant time.

    Source: request-path 6.2.4.
    """
    if not stored:
        return True
    return bool(claimed) and compare_digest(stored.encode(), (claimed or "").encode())


def _is_text(value: object) -> bool:
    """A string that a database takes: without NUL and lone surrogates."""
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)


def _is_canonical(part: str) -> bool:
    """Unpadded base64url in its one spelling, so that a credential has no second form."""
    try:
        decoded = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == part


def _object(part: str) -> dict[str, Any] | None:
    return _members(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _members(text: bytes) -> dict[str, Any] | None:
    """A JSON object in UTF-8 with unique names, or None."""
    doubled = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        doubled = doubled or len(dict(pairs)) != len(pairs)
        return dict(pairs)

    try:
        value = json.loads(text.decode(), object_pairs_hook=collect)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not doubled else None
