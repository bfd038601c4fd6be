from msgspec.structs import replace

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.gateway.stages import find_address
from tollway.settings import parse
from unit.gateway.fakes import exchange, services

HEADERS = {b"x-forwarded-for": b"203.0.113.9"}


def _from(peer: str, by_proxy: bool = False) -> Exchange:
    one = exchange(headers=HEADERS)
    one.inbound = replace(one.inbound, peer=peer, by_proxy=by_proxy)
    return one


def _proxied(said: str | None, **settings: object) -> Services:
    def behind_proxy(headers: object) -> str | None:
        assert headers == HEADERS
        return said

    return services(behind_proxy=behind_proxy, settings=parse(settings))


def _is_refused(result: str | Problem) -> bool:
    return isinstance(result, Problem) and result.code is Code.MISSING_CLIENT_IP


def test_headers_of_a_stranger_are_not_looked_at() -> None:
    found = _proxied("203.0.113.9")
    assert find_address.run(_from("192.0.2.1"), found) == "192.0.2.1"
    assert found.metrics.forwarded_addresses.value == 0


def test_a_proxy_is_believed_and_that_is_counted() -> None:
    found = _proxied("203.0.113.9")
    assert find_address.run(_from("10.0.0.1", by_proxy=True), found) == "203.0.113.9"
    assert found.metrics.forwarded_addresses.value == 1


def test_a_header_of_the_edge_is_nothing_to_count() -> None:
    found = _proxied("203.0.113.9", client_ip_header="X-Edge")
    assert find_address.run(_from("10.0.0.1", by_proxy=True), found) == "203.0.113.9"
    assert found.metrics.forwarded_addresses.value == 0


def test_nobody_knows() -> None:
    """The proxy's own address is nobody's."""
    assert _is_refused(find_address.run(_from("10.0.0.1", by_proxy=True), _proxied(None)))
    assert _is_refused(find_address.run(_from(""), _proxied("203.0.113.9")))
