from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.http.client_address import ClientAddresses, Peer

PROXIES = ("10.0.0.0/8", "fd00::/8", "192.0.2.7/32")
OUTSIDE = st.sampled_from(["203.0.113.9", "2001:db8::1", "192.0.2.8", "11.0.0.1"])
INSIDE = st.sampled_from(["10.0.0.9", "10.255.255.255", "fd00::1", "192.0.2.7"])
NO_ADDRESS = st.sampled_from(["", "unknown", "10.0.0.256", "_x", "1.2.3.4 5.6.7.8"])


def _addresses(proxies: Sequence[str] = PROXIES, header: str = "", prefix: int = 64) -> ClientAddresses:
    return ClientAddresses([ip_network(one) for one in proxies], header, prefix)


def _forwarded(text: str) -> str | None:
    return _addresses().behind_proxy({b"x-forwarded-for": text.encode("latin-1")})


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("203.0.113.9", Peer("203.0.113.9", "203.0.113.9", is_proxy=False)),
        ("10.1.2.3", Peer("10.1.2.3", "10.1.2.3", is_proxy=True)),
        ("::ffff:10.1.2.3", Peer("10.1.2.3", "10.1.2.3", is_proxy=True)),  # a listener for both kinds
        ("2001:db8::1", Peer("2001:db8::1", "2001:db8::/64", is_proxy=False)),
        ("fd00::1", Peer("fd00::1", "fd00::/64", is_proxy=True)),
        ("fe80::1%eth0", Peer("fe80::1", "fe80::/64", is_proxy=False)),
        ("::a00:1", Peer("::a00:1", "::/64", is_proxy=False)),  # as a number it is 10.0.0.1
        ("127.0.0.1", Peer("127.0.0.1", "127.0.0.1", is_proxy=False)),  # loopback is not implied
        ("", Peer("", "", is_proxy=False)),
        ("/run/socket", Peer("", "", is_proxy=False)),
    ],
)
def test_peers(text: str, peer: Peer) -> None:
    assert _addresses().peer(text) == peer


def test_nobody_is_trusted_by_default() -> None:
    for text in ("127.0.0.1", "::1", "10.0.0.1"):
        assert not _addresses(proxies=()).peer(text).is_proxy


def test_the_whole_address_space_can_be_trusted() -> None:
    addresses = _addresses(("0.0.0.0/0", "::/0"))
    assert addresses.peer("203.0.113.9").is_proxy
    assert addresses.peer("2001:db8::1").is_proxy
    assert addresses.behind_proxy({b"x-forwarded-for": b"6.6.6.6, 203.0.113.9"}) == "6.6.6.6"


def test_the_prefix_decides_the_key() -> None:
    assert _addresses(prefix=128).peer("2001:db8::1").key == "2001:db8::1/128"
    assert _addresses(prefix=32).peer("2001:db8:1::1").key == "2001:db8::/32"


@pytest.mark.parametrize("value", ["", ",", "203.0.113.9,", "203.0.113.9, ,", "203.0.113.9, unknown"])
def test_a_rightmost_element_that_is_no_address_leaves_nothing(value: str) -> None:
    assert _forwarded(value) is None


def test_no_header_at_all() -> None:
    assert _addresses().behind_proxy({}) is None
    assert _addresses(header="CF-Connecting-IP").behind_proxy({b"x-forwarded-for": b"203.0.113.9"}) is None


@pytest.mark.parametrize("value", ["", "not-an-ip", "203.0.113.9, 203.0.113.9", "\xff"])
def test_the_header_of_the_edge_holds_one_address(value: str) -> None:
    addresses = _addresses(header="CF-Connecting-IP")
    assert addresses.behind_proxy({b"cf-connecting-ip": value.encode("latin-1")}) is None


def test_the_header_of_the_edge_may_name_a_trusted_address() -> None:
    """It is not walked: what the edge says, counts."""
    addresses = _addresses(header="X-Forwarded-For")
    assert addresses.behind_proxy({b"x-forwarded-for": b" 10.0.0.9:1 "}) == "10.0.0.9"
    assert addresses.behind_proxy({b"x-forwarded-for": b"203.0.113.9, 10.0.0.9"}) is None


@given(st.lists(OUTSIDE | INSIDE | NO_ADDRESS, max_size=4), OUTSIDE, st.lists(INSIDE, max_size=4))
def test_what_a_client_sends_changes_nothing(sent: list[str], client: str, proxies: list[str]) -> None:
    assert _forwarded(", ".join([*sent, client, *proxies])) == client


@given(st.lists(INSIDE, min_size=1, max_size=4), NO_ADDRESS, st.lists(OUTSIDE | INSIDE, max_size=3))
def test_what_is_no_address_ends_the_walk_at_the_last_good_one(
    proxies: list[str], nonsense: str, sent: list[str]
) -> None:
    assert _forwarded(",".join([*sent, nonsense, *proxies])) == proxies[0]
    assert _forwarded(",".join(proxies)) == proxies[0]


def test_long_texts_are_read_as_well() -> None:
    assert _forwarded("203.0.113.9," + ",".join(["10.0.0.9"] * 800)) == "203.0.113.9"


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_asked_again_it_says_the_same(text: str) -> None:
    addresses = _addresses()
    headers = {b"x-forwarded-for": text.encode("latin-1")}
    assert addresses.behind_proxy(headers) == addresses.behind_proxy(headers) == _forwarded(text)
