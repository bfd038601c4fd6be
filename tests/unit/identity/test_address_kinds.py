from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.address_kinds import INTERNAL, AddressKind, kind_of

# Guarantees N1, network by network: its first and last address and those beside it, where these are public.
NETWORKS = [
    ("0.0.0.0/8", AddressKind.UNSPECIFIED),
    ("10.0.0.0/8", AddressKind.PRIVATE),
    ("100.64.0.0/10", AddressKind.CARRIER_NAT),
    ("127.0.0.0/8", AddressKind.LOOPBACK),
    ("169.254.0.0/16", AddressKind.LINK_LOCAL),
    ("172.16.0.0/12", AddressKind.PRIVATE),
    ("192.0.0.0/24", AddressKind.RESERVED),
    ("192.0.2.0/24", AddressKind.DOCUMENTATION),
    ("192.168.0.0/16", AddressKind.PRIVATE),
    ("198.18.0.0/15", AddressKind.BENCHMARKING),
    ("198.51.100.0/24", AddressKind.DOCUMENTATION),
    ("203.0.113.0/24", AddressKind.DOCUMENTATION),
    ("224.0.0.0/4", AddressKind.MULTICAST),
    ("240.0.0.0/4", AddressKind.RESERVED),
    ("::/96", AddressKind.EMBEDDING),
    ("::ffff:0:0/96", AddressKind.EMBEDDING),
    ("64:ff9b::/96", AddressKind.EMBEDDING),
    ("64:ff9b:1::/48", AddressKind.EMBEDDING),
    ("2001::/32", AddressKind.EMBEDDING),
    ("2001:2::/48", AddressKind.BENCHMARKING),
    ("2001:db8::/32", AddressKind.DOCUMENTATION),
    ("2002::/16", AddressKind.EMBEDDING),
    ("3fff::/20", AddressKind.DOCUMENTATION),
    ("fc00::/7", AddressKind.PRIVATE),
    ("fe80::/10", AddressKind.LINK_LOCAL),
    ("fec0::/10", AddressKind.PRIVATE),
    ("ff00::/8", AddressKind.MULTICAST),
]
SINGLE = {AddressKind.METADATA, AddressKind.UNSPECIFIED, AddressKind.LOOPBACK}


@pytest.mark.parametrize(("text", "kind"), NETWORKS)
def test_networks_from_end_to_end(text: str, kind: AddressKind) -> None:
    network = ip_network(text)
    for address in (network[0], network[1], network[2], network[-2], network[-1]):
        assert kind_of(address) in ({kind} | SINGLE), address
    assert kind_of(network[network.num_addresses // 2]) is kind


@pytest.mark.parametrize(
    "text",
    [
        *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
        *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0"),
        *("192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255"),
        *("198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "168.63.129.15", "168.63.129.17"),
        *("2000::", "2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "2003::"),
        *("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", "2a00::1", "2606:4700::1111", "8.8.8.8"),
    ],
)
def test_what_lies_beside_them_is_public(text: str) -> None:
    assert kind_of(ip_address(text)) is AddressKind.PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
        *("169.254.170.2", "169.254.170.23", "fd00:ec2::23", "fd20:ce::254"),
    ],
)
def test_metadata_services(text: str) -> None:
    assert kind_of(ip_address(text)) is AddressKind.METADATA


@pytest.mark.parametrize("text", ["4000::", "::1:0:0:0", "100::1", "5f00::1", "fe00::1", "fbff::", "1fff:ffff::"])
def test_ipv6_that_nobody_was_given_is_reserved(text: str) -> None:
    assert kind_of(ip_address(text)) is AddressKind.RESERVED


def test_single_addresses() -> None:
    assert kind_of(ip_address("::")) is AddressKind.UNSPECIFIED
    assert kind_of(ip_address("::1")) is AddressKind.LOOPBACK
    assert kind_of(ip_address("255.255.255.255")) is AddressKind.RESERVED
    assert kind_of(ip_address("fe80::1%eth0")) is AddressKind.LINK_LOCAL


@given(st.ip_addresses())
def test_nothing_is_public_that_python_takes_for_special(address: IPv4Address | IPv6Address) -> None:
    if kind_of(address) is AddressKind.PUBLIC:
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_private))


@given(st.ip_addresses(v=4), st.sampled_from(["::", "::ffff:0:0", "64:ff9b::", "64:ff9b:1::", "2001::"]))
def test_no_ipv4_address_passes_inside_ipv6(address: IPv4Address, start: str) -> None:
    inside = IPv6Address(int(IPv6Address(start)) + int(address))
    assert kind_of(inside) in {AddressKind.EMBEDDING, AddressKind.UNSPECIFIED, AddressKind.LOOPBACK}
    assert kind_of(IPv6Address((0x2002 << 112) + (int(address) << 80))) is AddressKind.EMBEDDING


def test_what_an_operator_may_open() -> None:
    assert INTERNAL.isdisjoint(
        {
            AddressKind.PUBLIC,
            AddressKind.METADATA,
            AddressKind.UNSPECIFIED,
            AddressKind.EMBEDDING,
            AddressKind.MULTICAST,
            AddressKind.RESERVED,
            AddressKind.OWN,
        }
    )
