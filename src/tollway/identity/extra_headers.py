"""Headers that owners of custom upstreams add to their requests: checked when saved and again when used. Pure.

Values are secrets as often as not: nothing here returns or names one. Source: request-path 12.3, guarantees N2.
"""

import re
from enum import StrEnum
from typing import Final, TypeAlias

from tollway.wire.json_body import BodyError, decode_object

ExtraHeaders: TypeAlias = dict[str, str]

COUNT_MAX: Final = 20
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_VALUE: Final = re.compile(r"[\t -~]{0,1024}")
_FORBIDDEN: Final = frozenset(
    {
        # framing and the connection
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # who is asking
        "authorization",
        "cookie",
        "set-cookie",
        "forwarded",
        "via",
    }
)
_FORBIDDEN_STARTS: Final = ("proxy-", "x-forwarded-", "x-real-ip", "cf-", "x-kilocode-", "x-tollway-")


class HeaderRule(StrEnum):
    """Why headers are refused, in words for whoever entered them."""

    OBJECT = "must be an object whose values are texts"
    COUNT = "must be at most 20"
    NAME = "names must be tokens (RFC 9110) of 1 to 64 characters"
    VALUE = "values must have at most 1024 characters: visible ASCII, spaces, tabs"
    REPEATED = "names must not repeat, whatever their case"
    FORBIDDEN = "one of these names is reserved"


def check_extra_headers(decoded: object) -> ExtraHeaders | HeaderRule:
    """`decoded` JSON as headers, or the rule it breaks."""
    if not isinstance(decoded, dict):
        return HeaderRule.OBJECT
    if len(decoded) > COUNT_MAX:
        return HeaderRule.COUNT
    seen: set[str] = set()
    for name, value in decoded.items():
        rule = _check(name, value)
        if rule:
            return rule
        if name.lower() in seen:
            return HeaderRule.REPEATED
        seen.add(name.lower())
    return decoded


def _check(name: object, value: object) -> HeaderRule | None:
    if not isinstance(name, str) or not isinstance(value, str):
        return HeaderRule.OBJECT
    if not _NAME.fullmatch(name):
        return HeaderRule.NAME
    if name.lower() in _FORBIDDEN or name.lower().startswith(_FORBIDDEN_STARTS):
        return HeaderRule.FORBIDDEN
    return None if _VALUE.fullmatch(value) else HeaderRule.VALUE


def read_extra_headers(plaintext: bytes) -> ExtraHeaders | HeaderRule:
    """What was stored, decrypted: a row that breaks a rule is unusable (request-path 12.2.6)."""
    try:
        return check_extra_headers(decode_object(plaintext))
    except BodyError:
        return HeaderRule.OBJECT
