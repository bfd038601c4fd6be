"""Vectors UG1 to UG8, UG10 and UG11 of request-path: what may be stored, and what a name may resolve to."""

import pytest

from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.outbound import OutboundRules, endpoints_of
from tollway.upstream.guard import Refused, check_resolved
from vectors.scripted import whole
from vectors.world import World

RULES = OutboundRules()


@pytest.mark.parametrize(
    ("text", "stored"),
    [pytest.param("https://llm.example.com/v1/", "https://llm.example.com/v1", id="request:UG1")],
)
def test_the_stored_form(text: str, stored: str) -> None:
    found = read_base_url(text, RULES)
    assert isinstance(found, BaseUrl)
    assert found.text == stored
    assert check_resolved(found.host, found.port, ["8.8.8.8"], RULES) == ("8.8.8.8",)


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(
            ["http://llm.example.com/v1", "ftp://x/", "//x/", "https://", "https:///v1"],
            id="request:UG2",
        ),
        pytest.param(
            [
                "https://u:p@x.example/",
                "https://x.example/?a=1",
                "https://x.example/#f",
                "https://x.example:8443/",
                "https://x.example./",
                "https://x.example\\@y/",
            ],
            id="request:UG3",
        ),
        pytest.param(
            [
                f"https://{host}{path}"
                for host in ("2130706433", "0x7f000001", "127.1", "0177.0.0.1", "0", "１２７.0.0.1")  # noqa: RUF001
                for path in ("", "/v1")
            ],
            id="request:UG4",
        ),
    ],
)
def test_refused_urls(texts: list[str]) -> None:
    for text in texts:
        assert not isinstance(read_base_url(text, RULES), BaseUrl), text


@pytest.mark.parametrize("port", [pytest.param(8443, id="request:UG3")])
def test_a_listed_port(port: int) -> None:
    assert isinstance(read_base_url(f"https://x.example:{port}/", OutboundRules(ports=frozenset({port}))), BaseUrl)


@pytest.mark.parametrize("resolved", [pytest.param(["8.8.8.8", "2606:4700::1111"], id="request:UG5")])
def test_public_addresses(resolved: list[str]) -> None:
    assert check_resolved("x.example", 443, resolved, RULES) == tuple(resolved)
    for one in resolved:
        assert check_resolved("x.example", 443, [one], RULES) == (one,)


@pytest.mark.parametrize(
    "resolved",
    [
        pytest.param(
            [
                *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
                *("100.100.100.200", "168.63.129.16", "0.0.0.0", "192.0.0.192", "198.18.0.1", "203.0.113.1"),
                *("224.0.0.1", "255.255.255.255"),
            ],
            id="request:UG6",
        ),
        pytest.param(
            [
                *("::1", "::", "::127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001::1"),
                *("fd00::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1"),
            ],
            id="request:UG7",
        ),
    ],
)
def test_other_addresses(resolved: list[str]) -> None:
    for one in resolved:
        assert isinstance(check_resolved("x.example", 443, [one], RULES), Refused), one


@pytest.mark.parametrize("resolved", [pytest.param(["8.8.8.8", "10.0.0.1"], id="request:UG8")])
def test_one_bad_address(resolved: list[str]) -> None:
    assert isinstance(check_resolved("x.example", 443, resolved, RULES), Refused)
    assert isinstance(check_resolved("x.example", 443, resolved[::-1], RULES), Refused)


@pytest.mark.parametrize("listed", [pytest.param("http://10.0.0.8:8000", id="request:UG11")])
def test_a_listed_endpoint(listed: str) -> None:
    endpoints = endpoints_of([listed])
    assert isinstance(endpoints, dict)
    rules = OutboundRules(endpoints=endpoints)
    found = read_base_url("http://10.0.0.8:8000/v1", rules)
    assert isinstance(found, BaseUrl)
    assert check_resolved(found.host, found.port, ["10.0.0.8"], rules) == ("10.0.0.8",)
    assert not isinstance(read_base_url("http://10.0.0.8:8001/v1", rules), BaseUrl)
    assert isinstance(check_resolved("10.0.0.8", 8001, ["10.0.0.8"], rules), Refused)


@pytest.mark.parametrize("location", [pytest.param("http://169.254.169.254/", id="request:UG10")])
def test_a_redirect_is_not_followed(world: World, location: str) -> None:
    asked = world.upstream.asked
    answer = world.ask(whole(307, b"", "text/html", f"Location: {location}"), model="a/b")
    text = "Upstream redirect not allowed"
    assert (answer.status, answer.json) == (502, {"error": text, "message": text})
    assert "location" not in answer.headers
    assert world.upstream.asked == asked + 1
