import asyncio
from typing import Any, cast

from tollway.deadlines import Deadlines
from tollway.errors import Code
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.http.edge import Edge
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts

INBOUND = Inbound("/", b"", {}, b"", "", drop_in=False)


async def _nothing(_: Inbound, __: Client) -> None: ...


async def _a_turn(_: Inbound, __: Client) -> None:
    await asyncio.sleep(0)


async def _forever(_: Inbound, __: Client) -> None:
    await asyncio.Event().wait()


def _edge(handle: Any = _nothing, loop: asyncio.AbstractEventLoop | None = None, **limits: int) -> Edge:
    return Edge(Limits(**limits), Timeouts(), Deadlines(), Metrics(), handle, cast("asyncio.AbstractEventLoop", loop))


def test_connections_are_counted_per_address_and_forgotten() -> None:
    edge = _edge(connections=3, connections_per_address=2)
    assert edge.admit("a") is None
    assert edge.admit("a") is None
    refused = edge.admit("a")
    assert refused
    assert refused.code is Code.TOO_MANY_REQUESTS
    full = edge.admit("b")
    assert full
    assert full.code is Code.OVERLOADED
    edge.leave("b")
    edge.leave("a")
    edge.leave("a")
    assert edge.admit("b") is None
    assert edge.admit("b") is None


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
