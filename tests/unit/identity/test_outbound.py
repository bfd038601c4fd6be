from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.address_kinds import INTERNAL, AddressKind, kind_of
from tollway.identity.outbound import Endpoint, OutboundRules, endpoints_of, outbound_rules, read_endpoint
from tollway.settings import SettingsError, parse


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://10.0.0.8:8000", Endpoint("10.0.0.8", 8000, may_be_plain=True)),
        ("https://10.0.0.8:8000", Endpoint("10.0.0.8", 8000, may_be_plain=False)),
        ("10.0.0.8:8000", Endpoint("10.0.0.8", 8000, may_be_plain=False)),
        ("Ollama:11434", Endpoint("ollama", 11434, may_be_plain=False)),
        ("http://[fd00::1]:80", Endpoint("fd00::1", 80, may_be_plain=True)),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert read_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text", ["", "10.0.0.8", "http://10.0.0.8", "ftp://a:1", "a:1/", "u@a:1", "127.1:80", "*:80", "10.0.0.0/8:80"]
)
def test_what_is_no_endpoint(text: str) -> None:
    assert read_endpoint(text) is None
    assert endpoints_of(["a:1", text]) == text


def test_of_two_entries_for_one_endpoint_the_wider_counts() -> None:
    for entries in (["a:1", "http://a:1"], ["http://a:1", "https://a:1"]):
        assert endpoints_of(entries) == {("a", 1): True}


RULES = OutboundRules(
    ports=frozenset({8443}),
    endpoints={("inside", 8000): True, ("inside", 8001): False},
    listeners=frozenset({(ip_address("192.168.0.5"), 8000), (ip_address("0.0.0.0"), 8001)}),
)


def test_ports_and_schemes() -> None:
    assert [port for port in (80, 443, 8000, 8443) if RULES.is_open("outside", port)] == [443, 8443]
    assert [port for port in (80, 443, 8000, 8001, 8443) if RULES.is_open("inside", port)] == [443, 8000, 8001, 8443]
    assert [port for port in (80, 443, 8000, 8001) if RULES.may_be_plain("inside", port)] == [8000]
    assert not RULES.may_be_plain("outside", 8000)


@given(st.ip_addresses())
def test_an_opened_endpoint_may_be_internal_and_nothing_else(address: object) -> None:
    one = ip_address(str(address))
    kind = kind_of(one)
    allowed = RULES.refused_kind("outside", 443, one) is None
    assert allowed is (kind is AddressKind.PUBLIC)
    assert (RULES.refused_kind("inside", 443, one) is None) is allowed  # another port
    is_open = RULES.refused_kind("inside", 8000, one) is None
    assert is_open is (allowed or (kind in INTERNAL and one != ip_address("192.168.0.5")))


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
        *("0.0.0.0", "::", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::a9fe:a9fe", "64:ff9b::a9fe:a9fe"),
        *("2002:a9fe:a9fe::1", "224.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_what_nothing_opens(text: str) -> None:
    assert RULES.refused_kind("inside", 8000, ip_address(text))


def test_tollways_own_listeners() -> None:
    own = AddressKind.OWN
    assert RULES.refused_kind("inside", 8000, ip_address("192.168.0.5")) is own
    assert RULES.refused_kind("inside", 8000, ip_address("192.168.0.6")) is None
    assert RULES.refused_kind("inside", 8001, ip_address("127.0.0.1")) is own
    assert RULES.refused_kind("inside", 8001, ip_address("::1")) is own
    assert RULES.refused_kind("inside", 8000, ip_address("127.0.0.1")) is None
    public = OutboundRules(listeners=frozenset({(ip_address("8.8.8.8"), 443)}))
    assert public.refused_kind("outside", 443, ip_address("8.8.8.8")) is own


def test_the_operators_settings_are_the_rules() -> None:
    custom = {"allowed_ports": "8443, 9443", "allowed_private_endpoints": "10.0.0.8:8000,http://10.0.0.9:80"}
    rules = outbound_rules(parse({"custom_upstreams": custom}))
    assert rules.ports == {8443, 9443}
    assert rules.endpoints == {("10.0.0.8", 8000): False, ("10.0.0.9", 80): True}


def test_an_endpoint_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="allowed_private_endpoints: 'nowhere'"):
        outbound_rules(parse({"custom_upstreams": {"allowed_private_endpoints": "nowhere"}}))


@pytest.mark.parametrize(
    ("listen", "host", "port", "is_own"),
    [
        ("127.0.0.1:8788", "127.0.0.1", 8788, True),
        ("127.0.0.1:8788", "127.0.0.1", 8000, False),
        ("127.0.0.1:8788", "127.0.0.2", 8788, False),
        ("0.0.0.0:8788", "127.0.0.2", 8788, True),
        ("[::]:8788", "127.0.0.1", 8788, True),
        ("localhost:8788", "::1", 8788, True),
    ],
)
def test_an_endpoint_that_is_tollway_is_refused_even_if_it_was_opened(
    listen: str, host: str, port: int, is_own: bool
) -> None:
    endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    tree = {"listen": listen, "custom_upstreams": {"allowed_private_endpoints": [endpoint]}}
    kind = outbound_rules(parse(tree)).refused_kind(host, port, ip_address(host))
    assert kind is (AddressKind.OWN if is_own else None)
