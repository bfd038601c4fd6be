"""The address of somebody's own endpoint, checked before it is stored. Pure.

Names are checked again with what they resolve to, at every connection: `upstream/guard.py`. Source: request-path 12.5.
"""

import re
from typing import Final

from msgspec import Struct

from tollway.identity.authority import UrlRule, read_authority
from tollway.identity.outbound import HTTPS_PORT, OutboundRules

CHARACTERS_MAX: Final = 2_048
_HTTP_PORT: Final = 80
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)([?#].*)?")


class BaseUrl(Struct, frozen=True):
    """text: as it is stored, without a slash at its end. host: lower-case ASCII, an address without brackets."""

    text: str
    scheme: str
    host: str
    port: int
    path: str


def read_base_url(text: str, rules: OutboundRules) -> BaseUrl | UrlRule:
    """`https://host[:port][/path]`, in the one form that is stored, or the rule it breaks."""
    if len(text) > CHARACTERS_MAX:
        return UrlRule.LENGTH
    if not text.isprintable() or " " in text or "\\" in text:
        return UrlRule.CHARACTERS
    found = _URL.fullmatch(text)
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in ("https", "http"):
        return UrlRule.SCHEME
    if found[4]:
        return UrlRule.QUERY
    if not found[3].isascii():
        return UrlRule.PATH
    return _read_place(scheme, found[2], found[3].rstrip("/"), rules)


def _read_place(scheme: str, place: str, path: str, rules: OutboundRules) -> BaseUrl | UrlRule:
    authority = read_authority(place)
    if isinstance(authority, UrlRule):
        return authority
    default_port = HTTPS_PORT if scheme == "https" else _HTTP_PORT
    host, port = authority.host, authority.port or default_port
    if scheme == "http" and not rules.may_be_plain(host, port):
        return UrlRule.PLAIN_HTTP
    if not rules.is_open(host, port):
        return UrlRule.PORT
    if authority.address is not None and rules.refused_kind(host, port, authority.address):
        return UrlRule.NOT_PUBLIC
    return BaseUrl(f"{scheme}://{authority.text(default_port)}{path}", scheme, host, port, path)
