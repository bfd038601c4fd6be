import asyncio
from typing import Any, cast

from tollway.deadlines import Deadlines
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.http.client_address import ClientAddresses, Peer
from tollway.http.edge import Edge
from tollway.limits.memory import Memory
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts

INBOUND = Inbound("/", b"", {}, b"", "", drop_in=False)
A, B = Peer("192.0.2.1", "192.0.2.1", is_proxy=False), Peer("192.0.2.2", "192.0.2.2", is_proxy=False)


async def _nothing(_: Inbound, __: Client) -> None: ...


async def _a_turn(_: Inbound, __: Client) -> None:
    await asyncio.sleep(0)


async def _forever(_: Inbound, __: Client) -> None:
    await asyncio.Event().wait()


class _Client:
    def __init__(self) -> None:
        self.problem: Problem | None = None

    def refuse(self, problem: Problem, _: str) -> None:
        self.problem = problem


def _edge(
    handle: Any = _nothing,
    loop: asyncio.AbstractEventLoop | None = None,
    memory: Memory | None = None,
    metrics: Metrics | None = None,
    **limits: int,
) -> Edge:
    made, peer = cast("asyncio.AbstractEventLoop", loop), ClientAddresses((), "", 64).peer
    return Edge(Limits(**limits), Timeouts(), Deadlines(), metrics or Metrics(), handle, peer, made, memory)


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


def test_few_files_let_in_fewer() -> None:
    metrics, peer = Metrics(), ClientAddresses((), "", 64).peer
    loop = cast("asyncio.AbstractEventLoop", None)
    edge = Edge(Limits(), Timeouts(), Deadlines(), metrics, _nothing, peer, loop, files=8)
    assert edge.connections_max == 3
    assert [edge.admit(A) for _ in range(3)] == [None] * 3
    full = edge.admit(B)
    assert full
    assert (full.code, edge.connections) == (Code.OVERLOADED, 4)
    assert metrics.bounds.rejected("connections") == 1


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


def test_short_memory_turns_everybody_away_until_there_is_room() -> None:
    async def run() -> None:
        memory, metrics, client = Memory(100), Metrics(), _Client()
        edge = _edge(_forever, asyncio.get_running_loop(), memory, metrics)
        memory.note(91)
        edge.serve(INBOUND, cast("Any", client))
        assert client.problem
        assert (client.problem.code, client.problem.retry_after_s) == (Code.OVERLOADED, 5)
        assert (edge.in_flight, metrics.bounds.rejected("memory")) == (0, 1)
        memory.note(85)
        edge.serve(INBOUND, cast("Any", client))
        assert edge.in_flight == 1
        await edge.idle(0.01)

    asyncio.run(run())


def test_too_many_under_way_is_another_bound() -> None:
    async def run() -> None:
        metrics, client = Metrics(), _Client()
        edge = _edge(_forever, asyncio.get_running_loop(), metrics=metrics, in_flight=1, queue=0)
        edge.serve(INBOUND, cast("Any", client))
        edge.serve(INBOUND, cast("Any", client))
        assert client.problem
        assert client.problem.code is Code.OVERLOADED
        assert [metrics.bounds.rejected(bound) for bound in ("in_flight", "queue", "memory")] == [1, 1, 0]
        await edge.idle(0.01)

    asyncio.run(run())


def test_the_date_is_made_once_a_second() -> None:
    edge = _edge()
    date = edge.date_header()
    assert date.startswith(b"date: ")
    assert date.endswith(b" GMT\r\n")
