import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tollway.deadlines import NEVER, Deadlines
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.http.admission import FULL, GONE, AdmissionQueue
from tollway.http.client_address import ClientAddresses
from tollway.http.edge import Edge
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts
from unit.gateway.fakes import Clock, FakeClient

ANONYMOUS = Inbound("/", b"", {}, b"", "", drop_in=False)
NAMED = Inbound("/", b"", {b"authorization": b"Bearer key"}, b"", "", drop_in=False)
OTHER = Inbound("/", b"", {b"authorization": b"Bearer other"}, b"", "", drop_in=False)


class World:
    """A queue and what it did; clients are known by the order they came in."""

    def __init__(self, most: int = 3, wait_s: float = 1.0) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.queue = AdmissionQueue(most, wait_s, self.deadlines, self._turn_away)
        self.clients: list[Client] = []
        self.ended: list[tuple[int, Problem]] = []

    def _turn_away(self, client: Client, problem: Problem) -> None:
        assert client.listener is None
        self.ended.append((self.clients.index(client), problem))

    def come(self, *requests: Inbound) -> None:
        for inbound in requests:
            self.clients.append(FakeClient())
            self.queue.add(inbound, self.clients[-1])

    def leave(self, number: int) -> None:
        listener = self.clients[number].listener
        assert listener
        listener.client_gone()

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.deadlines.sweep()

    @property
    def waiting(self) -> list[int]:
        return [self.clients.index(one.client) for one in self.queue.waiting]


def test_first_come_first_served() -> None:
    world = World()
    world.come(NAMED, ANONYMOUS, NAMED)
    taken = [world.queue.take().client for _ in range(3)]
    assert taken == world.clients
    assert {one.listener for one in world.clients} == {None}
    assert world.queue.deadline == NEVER
    assert len(world.deadlines) == 0


def test_it_is_bounded_and_waits_are_too() -> None:
    world = World(most=2)
    world.come(NAMED)
    world.wait(0.5)
    world.come(NAMED, NAMED)
    assert world.ended == [(2, FULL)]
    world.wait(0.5)
    assert world.ended == [(2, FULL), (0, FULL)]
    world.wait(0.4)
    assert world.waiting == [1]
    world.wait(0.1)
    assert (world.waiting, world.ended[-1]) == ([], (1, FULL))
    assert FULL.http_status == 503
    assert FULL.retry_after_s


def test_who_shows_no_credential_goes_first() -> None:
    world = World(most=3)
    world.come(ANONYMOUS, NAMED, ANONYMOUS, ANONYMOUS)
    assert world.ended == [(3, FULL)]
    world.come(NAMED, NAMED, NAMED)
    assert world.ended == [(3, FULL), (2, FULL), (0, FULL), (6, FULL)]
    assert world.waiting == [1, 4, 5]
    assert world.queue.deadline == world.clock.now + 1


def test_a_flood_keeps_nobody_out() -> None:
    world = World(most=4)
    world.come(*[NAMED] * 6)
    assert world.ended == [(4, FULL), (5, FULL)]
    world.come(OTHER, OTHER)
    assert world.ended[2:] == [(3, FULL), (2, FULL)]
    assert world.waiting == [0, 1, 6, 7]
    world.come(OTHER, NAMED)
    assert world.ended[4:] == [(8, FULL), (9, FULL)], "nobody has more than the other"
    world.come(ANONYMOUS)
    assert world.ended[6:] == [(10, FULL)]


def test_nobody_yields_to_one_who_would_then_have_more() -> None:
    world = World(most=3)
    world.come(NAMED, NAMED, OTHER, OTHER)
    assert (world.waiting, world.ended) == ([0, 1, 2], [(3, FULL)])


def test_who_leaves_makes_room() -> None:
    world = World(most=2)
    world.come(NAMED, NAMED)
    world.leave(0)
    world.come(NAMED)
    assert (world.waiting, world.ended) == ([1, 2], [(0, GONE)])


def test_one_that_does_not_wait_cannot_give_up() -> None:
    world, stranger, why = World(), FakeClient(), Problem(Code.DRAINING)
    world.come(NAMED)
    world.queue.give_up(stranger, why)
    assert world.waiting == [0]
    world.queue.give_up(world.clients[0], why)
    assert (world.waiting, world.ended) == ([], [(0, why)])


@given(st.lists(st.sampled_from("anoltw"), max_size=60), st.integers(0, 5))
def test_everybody_has_one_outcome(steps: list[str], most: int) -> None:
    world, taken = World(most), list[int]()
    for step in steps:
        if step in "ano":
            world.come({"a": ANONYMOUS, "n": NAMED, "o": OTHER}[step])
        elif step == "w":
            world.wait(0.4)
        elif world.waiting and step == "l":
            world.leave(world.waiting[-1])
        elif world.waiting:
            taken.append(world.clients.index(world.queue.take().client))
        assert len(world.waiting) <= most
        assert world.waiting == sorted(world.waiting)
        assert (world.queue.deadline == NEVER) == (not world.waiting)
    outcomes = [*taken, *world.waiting, *(number for number, _ in world.ended)]
    assert sorted(outcomes) == list(range(len(world.clients)))
    assert taken == sorted(taken)


# in the edge


def edge_for(loop: asyncio.AbstractEventLoop, handle: Any, **limits: int) -> Edge:
    addresses = ClientAddresses((), "", 64)
    return Edge(Limits(**limits), Timeouts(), Deadlines(), Metrics(), handle, addresses.peer, loop)


class Work:
    """Requests that end when they are told to, by number in order of their start."""

    def __init__(self) -> None:
        self.started: list[Client] = []
        self._doors: list[asyncio.Event] = []

    async def handle(self, _: Inbound, client: Client) -> None:
        self.started.append(client)
        door = asyncio.Event()
        self._doors.append(door)
        await door.wait()

    async def end(self, number: int) -> None:
        self._doors[number].set()
        for _ in range(3):
            await asyncio.sleep(0)


def in_loop(work: Callable[[asyncio.AbstractEventLoop], Any]) -> None:
    async def run() -> None:
        await work(asyncio.get_running_loop())

    asyncio.run(run())


def test_places_go_to_those_who_wait_in_their_order() -> None:
    async def run(loop: asyncio.AbstractEventLoop) -> None:
        work, clients = Work(), [FakeClient() for _ in range(5)]
        edge = edge_for(loop, work.handle, in_flight=2)
        for client in clients:
            edge.serve(NAMED, client)
        assert (work.started, edge.in_flight, edge.waiting) == (clients[:2], 2, 3)
        await work.end(1)
        assert work.started == clients[:3]
        await work.end(0)
        await work.end(2)
        assert (work.started, edge.in_flight, edge.waiting) == (clients, 2, 0)
        await work.end(3)
        await work.end(4)
        assert edge.in_flight == 0

    in_loop(run)


def test_many_that_end_at_once_are_let_in_without_end() -> None:
    async def run(loop: asyncio.AbstractEventLoop) -> None:
        work, numbers = Work(), count()

        async def first_waits(inbound: Inbound, client: Client) -> None:
            if next(numbers) == 0:
                await work.handle(inbound, client)

        edge = edge_for(loop, first_waits, in_flight=1, queue=5_000)
        for _ in range(5_001):
            edge.serve(NAMED, FakeClient())
        await work.end(0)
        assert (next(numbers), edge.in_flight, edge.waiting) == (5_001, 0, 0)

    in_loop(run)
