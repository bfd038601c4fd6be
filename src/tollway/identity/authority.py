"""The host and port of a URL that somebody else wrote, read so that nobody can take it for another. Pure.

Resolvers read many texts as addresses that URL parsers leave as names (`127.1`, `0x7f.1`, `0`): such texts are refused.
Source: request-path 12.5.1 and 12.5.2, guarantees N1.
"""

import re
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import idna
from msgspec import Struct

from tollway.wire.address import IpAddress

_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER: Final = re.compile(r"[0-9]+|0x.*")  # as a last label


class UrlRule(StrEnum):
    """Why a URL is refused, in words for whoever entered it."""

    LENGTH = "must have at most 2048 characters"
    CHARACTERS = "must not contain white space, control characters or backslashes"
    SCHEME = "must start with https://"
    PLAIN_HTTP = "http is only possible for endpoints that the operator lists"
    CREDENTIALS = "must not contain a user name or password"
    QUERY = "must not have a query or a fragment"
    HOST = "must name a host"
    TRAILING_DOT = "the host must not end with a dot"
    NAME = "the host must be a DNS name or an IP address"
    SPELLING = "an IP address must have its usual spelling"
    PORT = "the port must be 443 or one that the operator lists"
    PATH = "the path must be plain ASCII"
    NOT_PUBLIC = "the host must have a public address"


class Authority(Struct, frozen=True):
    """host: lower-case ASCII name or canonical address without brackets. address: the host, if it is one."""

    host: str
    address: IpAddress | None
    port: int | None

    def text(self, default_port: int) -> str:
        """As it stands in a URL, without the port that need not be said."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, default_port) else f"{host}:{self.port}"


def read_authority(text: str) -> Authority | UrlRule:
    """`host`, `host:port` or `[address]:port`. An empty port is none."""
    if "@" in text:
        return UrlRule.CREDENTIALS
    found = _AUTHORITY.fullmatch(text)
    if not found:
        return UrlRule.NAME
    port = _read_port(found[2] or "")
    if isinstance(port, UrlRule):
        return port
    host = _read_host(found[1])
    if isinstance(host, UrlRule):
        return host
    return Authority(str(host), None if isinstance(host, str) else host, port)


def _read_port(digits: str) -> int | UrlRule | None:
    if not digits:
        return None
    return UrlRule.PORT if digits[0] == "0" or len(digits) > 5 or int(digits) > 65_535 else int(digits)


def _read_host(text: str) -> str | IpAddress | UrlRule:
    if not text:
        return UrlRule.HOST
    if text[0] == "[":
        return _read_ipv6(text[1:-1])
    if text[-1] == ".":
        return UrlRule.TRAILING_DOT
    name = text.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, strict=True).decode()
        except UnicodeError:  # what IDNA says is one; full-width and circled digits are none of its characters
            return UrlRule.NAME
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _read_ipv4(text)
    return name if _NAME.fullmatch(name) else UrlRule.NAME


def _read_ipv4(text: str) -> IPv4Address | UrlRule:
    """Four numbers without leading zeros: Python takes no other spelling."""
    try:
        return IPv4Address(text)
    except AddressValueError:
        return UrlRule.SPELLING


def _read_ipv6(text: str) -> IPv6Address | UrlRule:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return UrlRule.SPELLING
    return address if str(address) == text and not address.scope_id else UrlRule.SPELLING
