import asyncio
from typing import Any, cast

from tollway.deadlines import Deadlines
from tollway.errors import Code
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.http.client_address import ClientAddresses, Peer
from tollway.http.edge import Edge
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts

INBOUND = Inbound("/", b"", {}, b"", "", drop_in=False)
A, B = Peer("192.0.2.1", "192.0.2.1", is_proxy=False), Peer("192.0.2.2", "192.0.2.2", is_proxy=False)


async def _nothing(_: Inbound, __: Client) -> None: ...


async def _a_turn(_: Inbound, __: Client) -> None:
    await asyncio.sleep(0)


async def _forever(_: Inbound, __: Client) -> None:
    await asyncio.Event().wait()


def _edge(handle: Any = _nothing, loop: asyncio.AbstractEventLoop | None = None, **limits: int) -> Edge:
    made = cast("asyncio.AbstractEventLoop", loop)
    return Edge(Limits(**limits), Timeouts(), Deadlines(), Metrics(), handle, ClientAddresses((), "", 64).peer, made)


def test_connections_are_counted_per_address_and_forgotten() -> None:
    edge = _edge(connections=3, connections_per_address=2)
    assert edge.admit(A) is None
    assert edge.admit(A) is None
    refused = edge.admit(A)
    assert refused
    assert refused.code is Code.TOO_MANY_REQUESTS
    full = edge.admit(B)
    assert full
    assert full.code is Code.OVERLOADED
    edge.leave(B)
    edge.leave(A)
    edge.leave(A)
    assert edge.admit(B) is None
    assert edge.admit(B) is None


def test_addresses_of_one_network_are_counted_together() -> None:
    edge = _edge(connections_per_address=1)
    assert edge.admit(edge.peer_of("2001:db8::1")) is None
    assert edge.admit(edge.peer_of("2001:db8:0:1::1")) is None
    assert edge.admit(edge.peer_of("2001:db8::2"))


def test_a_trusted_proxy_may_have_many_connections() -> None:
    edge = _edge(connections=3, connections_per_address=1)
    proxy = Peer("10.0.0.1", "10.0.0.1", is_proxy=True)
    assert [edge.admit(proxy) for _ in range(3)] == [None] * 3
    full = edge.admit(proxy)
    assert full
    assert full.code is Code.OVERLOADED
    for _ in range(4):
        edge.leave(proxy)
    assert edge.admit(A) is None


def test_it_waits_for_what_is_under_way() -> None:
    async def run() -> int:
        loop = asyncio.get_running_loop()
        edge = _edge(_a_turn, loop)
        edge.serve(INBOUND, cast("Any", None))
        assert edge.in_flight == 1
        return await edge.idle(10)

    assert asyncio.run(run()) == 0


def test_what_need_not_wait_is_done_at_once() -> None:
    async def run() -> int:
        edge = _edge(_nothing, asyncio.get_running_loop())
        edge.serve(INBOUND, cast("Any", None))
        return edge.in_flight

    assert asyncio.run(run()) == 0


def test_it_does_not_wait_for_ever() -> None:
    async def run() -> tuple[int, int]:
        edge = _edge(_forever, asyncio.get_running_loop())
        edge.serve(INBOUND, cast("Any", None))
        edge.serve(INBOUND, cast("Any", None))
        return await edge.idle(0.01), edge.in_flight

    assert asyncio.run(run()) == (2, 0)


def test_the_date_is_made_once_a_second() -> None:
    edge = _edge()
    date = edge.date_header()
    assert date.startswith(b"date: ")
    assert date.endswith(b" GMT\r\n")
