from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.address import canonical_address, limiting_key, read_address

ADDRESSES = st.ip_addresses().map(str)
PREFIXES = st.integers(1, 128)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1.2.3.4", "1.2.3.4"),
        (" 1.2.3.4\t", "1.2.3.4"),
        ("1.2.3.4:0", "1.2.3.4"),
        ("::", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8::A", "2001:db8::a"),
        ("[::1]", "::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("fe80::1%25", "fe80::1"),
        ("::FFFF:102:304", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
        ("::1.2.3.4", "::102:304"),  # not the mapped range: another address
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
    ],
)
def test_spellings(text: str, canonical: str) -> None:
    assert canonical_address(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:123456",
        "1.2.3.4%eth0",
        "[1.2.3.4]",
        "1.2.3.4\n",
        "1.2.3.4, 5.6.7.8",
        "2130706433",
        "0x7f000001",
        "127.1",
        "::1]",
        "[::1",
        "[::1]x",
        "[::1]:",
        "::1%",
        "::1%a b",
        ":::",
        "1::2::3",
        "\u00b9.2.3.4",
        "１.2.3.4",  # noqa: RUF001  (digits that are none)
        '"1.2.3.4"',
        "for=1.2.3.4",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert canonical_address(text) is None


@given(ADDRESSES)
def test_canonical_spelling_is_its_own(text: str) -> None:
    canonical = canonical_address(text)
    assert canonical is not None
    assert canonical_address(canonical) == canonical


@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_address_is_one(address: IPv6Address) -> None:
    texts = (str(address), address.exploded, str(address).upper(), f"[{address}]:443", f"{address}%eth0")
    assert len({canonical_address(text) for text in texts}) == 1


@given(st.ip_addresses(v=4))
def test_ipv4_is_the_same_inside_ipv6(address: IPv4Address) -> None:
    assert read_address(f"::ffff:{address}") == read_address(str(address)) == address


@given(st.text(max_size=60))
def test_anything_else_is_none_and_never_an_error(text: str) -> None:
    canonical = canonical_address(text)
    assert canonical is None or str(ip_address(canonical)) == canonical


@given(st.ip_addresses(v=6), st.ip_addresses(v=6), PREFIXES)
def test_one_key_for_one_network(one: IPv6Address, other: IPv6Address, prefix: int) -> None:
    network = ip_network((one, prefix), strict=False)
    assert limiting_key(str(one), prefix) == str(network)
    assert (limiting_key(str(other), prefix) == str(network)) is (other in network)


@given(st.ip_addresses(v=4), PREFIXES)
def test_ipv4_is_its_own_key(address: IPv4Address, prefix: int) -> None:
    assert limiting_key(str(address), prefix) == str(address)
