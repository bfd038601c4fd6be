"""IP addresses as texts: one spelling for each, and the key under which a client is limited. Pure.

Two spellings of one address would be two budgets, so everything that counts or compares addresses compares these.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

_PORT: Final = r"(?::[0-9]{1,5})?"
_ZONE: Final = r"(?:%[0-9A-Za-z._~-]{1,64})?"
_IPV4: Final = re.compile(rf"([0-9.]{{7,15}}){_PORT}")
_IPV6: Final = re.compile(rf"([0-9A-Fa-f:.]{{2,45}}){_ZONE}")
_BRACKETED: Final = re.compile(rf"\[([0-9A-Fa-f:.]{{2,45}}){_ZONE}\]{_PORT}")


def read_address(text: str) -> IpAddress | None:
    """The address in `text`, as sockets and proxies spell it: with or without port, brackets, zone and white space.

    IPv4 inside IPv6 (`::ffff:1.2.3.4`) is IPv4. None when it is no address. Source: request-path 3.5.
    """
    text = text.strip(" \t")
    found = _IPV4.fullmatch(text)
    try:
        if found:
            return IPv4Address(found[1])
        found = _IPV6.fullmatch(text) or _BRACKETED.fullmatch(text)
        return _unmapped(IPv6Address(found[1])) if found else None
    except ValueError:
        return None


def _unmapped(address: IPv6Address) -> IpAddress:
    return address.ipv4_mapped or address


def canonical_address(text: str) -> str | None:
    """The one spelling of the address in `text`; None when it is no address. Source: request-path 3.5."""
    address = read_address(text)
    return None if address is None else str(address)


def limiting_key(address: str, ipv6_prefix: int) -> str:
    """What a client is counted under: a canonical address, of IPv6 its network, since one client has so many addresses.

    `ipv6_prefix`: bits of that network, 1 to 128. Source: request-path 3.6.
    """
    if ":" not in address:
        return address
    bits = 128 - ipv6_prefix
    return f"{IPv6Address(int(IPv6Address(address)) >> bits << bits)}/{ipv6_prefix}"
