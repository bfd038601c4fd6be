"""What kind of place an IP address is. Only public ones may be called for somebody who is not the operator. Pure.

A table of our own: Python's `is_global` is true for multicast, site-local, 6to4, NAT64 and some clouds' metadata
services. Ranges that carry an IPv4 address inside an IPv6 one are no public place as a whole; nothing is unwrapped.
Source: request-path 12.5.3, guarantees N1, the IANA registries of special-purpose addresses.
"""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from tollway.wire.address import IpAddress


class AddressKind(StrEnum):
    """The value is for the operator's log; callers are only told that an address is not public."""

    PUBLIC = "public"
    METADATA = "cloud metadata"
    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    CARRIER_NAT = "carrier NAT"
    LINK_LOCAL = "link-local"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    EMBEDDING = "IPv4 inside IPv6"
    MULTICAST = "multicast"
    RESERVED = "reserved"
    OWN = "Tollway itself"


# Those of one site or machine: an operator may open single endpoints there.
INTERNAL: Final = frozenset(
    {
        AddressKind.LOOPBACK,
        AddressKind.PRIVATE,
        AddressKind.CARRIER_NAT,
        AddressKind.LINK_LOCAL,
        AddressKind.DOCUMENTATION,
        AddressKind.BENCHMARKING,
    }
)

# The first that fits counts.
_NETWORKS: Final = (
    # services that hand a machine's credentials to whoever asks from there
    ("169.254.169.254/32", AddressKind.METADATA),  # AWS, Azure, Google Cloud and most others
    ("169.254.170.2/32", AddressKind.METADATA),  # AWS, containers
    ("169.254.170.23/32", AddressKind.METADATA),  # AWS, pods
    ("100.100.100.200/32", AddressKind.METADATA),  # Alibaba Cloud
    ("168.63.129.16/32", AddressKind.METADATA),  # Azure
    ("192.0.0.192/32", AddressKind.METADATA),  # Oracle Cloud
    ("fd00:ec2::254/128", AddressKind.METADATA),  # AWS
    ("fd00:ec2::23/128", AddressKind.METADATA),  # AWS, pods
    ("fd20:ce::254/128", AddressKind.METADATA),  # Google Cloud
    ("0.0.0.0/8", AddressKind.UNSPECIFIED),
    ("10.0.0.0/8", AddressKind.PRIVATE),
    ("100.64.0.0/10", AddressKind.CARRIER_NAT),
    ("127.0.0.0/8", AddressKind.LOOPBACK),
    ("169.254.0.0/16", AddressKind.LINK_LOCAL),
    ("172.16.0.0/12", AddressKind.PRIVATE),
    ("192.0.0.0/24", AddressKind.RESERVED),
    ("192.0.2.0/24", AddressKind.DOCUMENTATION),
    ("192.88.99.0/24", AddressKind.RESERVED),  # once relays of 6to4
    ("192.168.0.0/16", AddressKind.PRIVATE),
    ("198.18.0.0/15", AddressKind.BENCHMARKING),
    ("198.51.100.0/24", AddressKind.DOCUMENTATION),
    ("203.0.113.0/24", AddressKind.DOCUMENTATION),
    ("224.0.0.0/4", AddressKind.MULTICAST),
    ("240.0.0.0/4", AddressKind.RESERVED),
    ("::/128", AddressKind.UNSPECIFIED),
    ("::1/128", AddressKind.LOOPBACK),
    ("::/96", AddressKind.EMBEDDING),
    ("::ffff:0:0/96", AddressKind.EMBEDDING),
    ("64:ff9b::/96", AddressKind.EMBEDDING),  # NAT64
    ("64:ff9b:1::/48", AddressKind.EMBEDDING),
    ("2001::/32", AddressKind.EMBEDDING),  # Teredo
    ("2002::/16", AddressKind.EMBEDDING),  # 6to4
    ("2001:2::/48", AddressKind.BENCHMARKING),
    ("2001::/23", AddressKind.RESERVED),  # for protocols
    ("2001:db8::/32", AddressKind.DOCUMENTATION),
    ("3fff::/20", AddressKind.DOCUMENTATION),
    ("fc00::/7", AddressKind.PRIVATE),
    ("fe80::/10", AddressKind.LINK_LOCAL),
    ("fec0::/10", AddressKind.PRIVATE),  # site-local
    ("ff00::/8", AddressKind.MULTICAST),
    ("2000::/3", AddressKind.PUBLIC),  # all that is given out of IPv6
    ("::/0", AddressKind.RESERVED),
    ("0.0.0.0/0", AddressKind.PUBLIC),
)


def _span(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)


_SPANS: Final = {
    version: tuple(
        (*_span(network), kind) for text, kind in _NETWORKS if (network := ip_network(text)).version == version
    )
    for version in (4, 6)
}


def kind_of(address: IpAddress) -> AddressKind:
    """What lies there. Never OWN: that is a question of the port as well."""
    number = int(address)
    return next(kind for first, last, kind in _SPANS[address.version] if first <= number <= last)
