"""Vectors IP1 to IP9 of request-path.

The page's own addresses go through the functions; the running program gets the same headers from loopback peers, which
shows whom it believes: what is believed and useless is refused.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import Response, ask, get, request
from tollway.errors import Code, Problem
from tollway.gateway.stages import find_address
from tollway.http.client_address import ClientAddresses
from tollway.wire.address import canonical_address, limiting_key
from unit.gateway.fakes import exchange, services
from vectors.conftest import settings_for_vectors
from vectors.upstream import Upstream

PATH = b"/api/gateway/chat/completions"
BODY = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}]}
REFUSAL = b'{"error":"Unable to determine client IP"}'
EDGE = "CF-Connecting-IP"
Headers = dict[str, str]

IP1: Headers = {"X-Forwarded-For": "1.2.3.4", EDGE: "5.6.7.8"}
IP2: Headers = {EDGE: "203.0.113.9", "X-Forwarded-For": "6.6.6.6"}
IP3: list[Headers] = [{"X-Forwarded-For": "6.6.6.6"}, {EDGE: "not-an-ip", "X-Forwarded-For": "6.6.6.6"}]
IP4: Headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.9"}
IP5: Headers = {"X-Forwarded-For": "10.1.1.1, 10.0.0.9"}
IP6: Headers = {"X-Forwarded-For": "garbage, 10.0.0.9"}
IP7: list[Headers] = [{}, {"X-Forwarded-For": "203.0.113.9, garbage"}]


def _find(peer: str, trusted: str, header: str, sent: Headers) -> str | Problem:
    networks = [ip_network(trusted)] if trusted else []
    addresses = ClientAddresses(networks, header, 64)
    from_ = addresses.peer(peer)
    one = exchange(headers={name.lower().encode(): value.encode() for name, value in sent.items()})
    one.inbound = replace(one.inbound, peer=from_.address, by_proxy=from_.is_proxy)
    return find_address.run(one, services(behind_proxy=addresses.behind_proxy))


@pytest.mark.parametrize(
    ("peer", "trusted", "header", "sent", "expected"),
    [
        pytest.param("198.51.100.7", "", "", [IP1], "198.51.100.7", id="request:IP1"),
        pytest.param("10.0.0.5", "10.0.0.0/8", EDGE, [IP2], "203.0.113.9", id="request:IP2"),
        pytest.param("10.0.0.5", "10.0.0.0/8", EDGE, IP3, None, id="request:IP3"),
        pytest.param("10.0.0.5", "10.0.0.0/8", "", [IP4], "203.0.113.9", id="request:IP4"),
        pytest.param("10.0.0.5", "10.0.0.0/8", "", [IP5], "10.1.1.1", id="request:IP5"),
        pytest.param("10.0.0.5", "10.0.0.0/8", "", [IP6], "10.0.0.9", id="request:IP6"),
        pytest.param("10.0.0.5", "10.0.0.0/8", "", IP7, None, id="request:IP7"),
    ],
)
def test_whose_request_it_is(peer: str, trusted: str, header: str, sent: list[Headers], expected: str | None) -> None:
    for headers in sent:
        found = _find(peer, trusted, header, headers)
        if expected is None:
            assert isinstance(found, Problem)
            assert found.code is Code.MISSING_CLIENT_IP
        else:
            assert found == expected


@pytest.fixture(scope="module")
def edge_gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("edge")
    top = f'trusted_proxies = ["127.0.0.0/16"]\nclient_ip_header = "{EDGE}"'
    program = Gateway(folder, settings_for_vectors(folder, upstream, top=top))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def behind_edge(edge_gateway: Gateway) -> Account:
    return Accounts(edge_gateway.config).create()


@pytest.fixture(scope="module")
def behind_proxy(proxied_gateway: Gateway) -> Account:
    return Accounts(proxied_gateway.config).create()


def _ask(gateway: Gateway, account: Account, sent: Headers, path: bytes = PATH, source: str = "") -> Response:
    return ask(gateway, request(BODY, path, {**account.headers, **sent}), source=source)


def _is_served(answer: Response, upstream: Upstream) -> bool:
    return answer.status == 200 and "x-forwarded-for" not in upstream.next().headers


def _is_refused(answer: Response, upstream: Upstream) -> bool:
    return (answer.status, answer.body) == (400, REFUSAL) and upstream.is_untouched


@pytest.mark.parametrize("sent", [pytest.param(IP1, id="request:IP1")])
def test_a_stranger_is_not_believed(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, sent: Headers
) -> None:
    assert _is_served(_ask(vector_gateway, caller, sent), upstream)
    assert _is_served(_ask(vector_gateway, caller, {"X-Forwarded-For": "garbage"}), upstream)


@pytest.mark.parametrize(
    ("sent", "is_served"),
    [pytest.param([IP2], True, id="request:IP2"), pytest.param(IP3, False, id="request:IP3")],
)
def test_a_header_of_the_edge(
    edge_gateway: Gateway, upstream: Upstream, behind_edge: Account, sent: list[Headers], is_served: bool
) -> None:
    for headers in sent:
        answer = _ask(edge_gateway, behind_edge, headers)
        assert _is_served(answer, upstream) if is_served else _is_refused(answer, upstream)
    assert _is_served(_ask(edge_gateway, behind_edge, sent[0], source="127.1.0.1"), upstream)  # no proxy of ours


@pytest.mark.parametrize(
    ("sent", "is_served"),
    [
        pytest.param([IP4], True, id="request:IP4"),
        pytest.param([IP5], True, id="request:IP5"),
        pytest.param([IP6], True, id="request:IP6"),
        pytest.param(IP7, False, id="request:IP7"),
    ],
)
def test_x_forwarded_for(
    proxied_gateway: Gateway, upstream: Upstream, behind_proxy: Account, sent: list[Headers], is_served: bool
) -> None:
    for headers in sent:
        answer = _ask(proxied_gateway, behind_proxy, headers)
        assert _is_served(answer, upstream) if is_served else _is_refused(answer, upstream)
        assert _is_served(_ask(proxied_gateway, behind_proxy, headers, source="127.1.0.1"), upstream)


def test_repeated_headers_are_one_list_in_their_order(
    proxied_gateway: Gateway, upstream: Upstream, behind_proxy: Account
) -> None:
    good, bad = {"X-Forwarded-For": "203.0.113.9"}, {"x-forwarded-for": "garbage"}
    assert _is_refused(_ask(proxied_gateway, behind_proxy, {**good, **bad}), upstream)
    assert _is_served(_ask(proxied_gateway, behind_proxy, {**bad, **good}), upstream)


def test_a_trailer_is_no_header(proxied_gateway: Gateway, upstream: Upstream, behind_proxy: Account) -> None:
    """Guarantees N4."""
    head, _, body = request(BODY, PATH, behind_proxy.headers).partition(b"\r\n\r\n")
    chunked = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    raw = b"%b\r\n\r\n%x\r\n%b\r\n0\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n" % (chunked, len(body), body)
    assert _is_refused(ask(proxied_gateway, raw), upstream)
    assert _is_served(ask(proxied_gateway, raw.replace(b"chunked", b"chunked\r\nX-Forwarded-For: 8.8.8.8")), upstream)


def test_elsewhere_the_refusal_has_the_general_shape(proxied_gateway: Gateway, behind_proxy: Account) -> None:
    answer = _ask(proxied_gateway, behind_proxy, {}, b"/v1/chat/completions")
    assert (answer.status, answer.code) == (400, "missing_client_ip")


def test_believing_x_forwarded_for_is_said_and_counted(
    proxied_gateway: Gateway, edge_gateway: Gateway, vector_gateway: Gateway, behind_proxy: Account, upstream: Upstream
) -> None:
    """Request-path 3.4."""
    believes = [
        sum('"x_forwarded_for_is_believed"' in line and '"level":"warning"' in line for line in one.lines)
        for one in (proxied_gateway, edge_gateway, vector_gateway)
    ]
    assert believes == [1, 0, 0]
    before = _counted(proxied_gateway)
    assert _is_served(_ask(proxied_gateway, behind_proxy, IP4), upstream)
    assert _is_served(_ask(proxied_gateway, behind_proxy, IP4, source="127.1.0.1"), upstream)
    assert _counted(proxied_gateway) == before + 1


def _counted(gateway: Gateway) -> float:
    metrics = ask(gateway, get("/metrics")).body.decode()
    (line,) = (one for one in metrics.splitlines() if one.startswith("tollway_forwarded_addresses_total "))
    return float(line.split()[1])


@pytest.mark.parametrize(
    "spellings",
    [
        pytest.param(
            {
                "[2001:DB8:0:0::1]:443": "2001:db8::1",
                "::ffff:1.2.3.4": "1.2.3.4",
                "1.2.3.4:5678": "1.2.3.4",
                "fe80::1%eth0": "fe80::1",
            },
            id="request:IP8",
        )
    ],
)
def test_one_spelling(spellings: dict[str, str]) -> None:
    assert {text: canonical_address(text) for text in spellings} == spellings


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(
            {"2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64", "203.0.113.9": "203.0.113.9"},
            id="request:IP9",
        )
    ],
)
def test_limiting_keys(keys: dict[str, str]) -> None:
    assert {address: limiting_key(address, 64) for address in keys} == keys
