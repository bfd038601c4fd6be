"""What all connections of a worker share: bounds, the sweep, the way into the gateway."""

import asyncio
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any, Final

from tollway.clock import monotonic, unix_seconds
from tollway.deadlines import Deadlines
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.http.admission import FULL, RETRY_AFTER_S, AdmissionQueue
from tollway.http.client_address import Peer
from tollway.ids import new_request_id
from tollway.limits.files import connections_max
from tollway.limits.memory import WAIT_S, Memory
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts
from tollway.steps import Steps

_NO_MEMORY: Final = Problem(Code.OVERLOADED, "memory", retry_after_s=WAIT_S)
_BOUNDS: Final = {FULL.detail: ("in_flight", "queue"), _NO_MEMORY.detail: ("memory",)}  # that a refusal has met

Handle = Callable[[Inbound, Client], Coroutine[Any, Any, None]]


class Edge:
    """Counts connections and requests under way; starts each hot request and keeps hold of it."""

    def __init__(
        self,
        limits: Limits,
        timeouts: Timeouts,
        deadlines: Deadlines,
        metrics: Metrics,
        handle: Handle,
        peer_of: Callable[[str], Peer],
        loop: asyncio.AbstractEventLoop,
        memory: Memory | None = None,
        files: int | None = None,
    ) -> None:
        """`peer_of`: TCP address as the socket spells it → who that is. `loop`: the one all this runs on; asking for it
        anew costs a system call per request. `files`: how many this process may open; None: enough."""
        self._loop = loop
        self.peer_of = peer_of
        self.limits = limits
        self.timeouts = timeouts
        self.deadlines = deadlines
        self.draining = False
        self._metrics = metrics
        self._handle = handle
        self._memory = memory or Memory()
        most = limits.connections
        self.connections_max = most if files is None else connections_max(files, most, limits.in_flight)
        self._requests: set[Steps] = set()
        self._queue = AdmissionQueue(limits.queue, timeouts.queue_s, deadlines, self._turn_away)
        self._is_letting_in = False
        self._all_ended: asyncio.Future[None] | None = None
        self._by_address: dict[str, int] = {}
        self._connections = 0
        self._date = (0, b"")

    @property
    def connections(self) -> int:
        return self._connections

    @property
    def in_flight(self) -> int:
        return len(self._requests)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._queue.waiting)

    def admit(self, peer: Peer) -> Problem | None:
        """Count a new connection. Refuses: overloaded (too many in all), too_many_requests (of this address).

        A trusted proxy brings everybody's requests, so its own connections are bounded only by those in all.
        """
        self._connections += 1
        mine = self._by_address[peer.key] = self._by_address.get(peer.key, 0) + 1
        self._metrics.connections.set(self._connections)
        if self._connections > self.connections_max:
            self._metrics.bounds.reject("connections")
            return Problem(Code.OVERLOADED, "connections")
        if mine > self.limits.connections_per_address and not peer.is_proxy:
            self._metrics.bounds.reject("connections_per_address")
            return Problem(Code.TOO_MANY_REQUESTS, "connections", retry_after_s=1)
        return None

    def leave(self, peer: Peer) -> None:
        self._connections -= 1
        self._metrics.connections.set(self._connections)
        if self._by_address[peer.key] == 1:
            del self._by_address[peer.key]
        else:
            self._by_address[peer.key] -= 1

    def serve(self, inbound: Inbound, client: Client) -> None:
        """Start one request; when too many are under way it waits for its turn. Refuses: overloaded."""
        if len(self._requests) >= self.limits.in_flight or self._memory.refuses_all:
            self._hold_back(inbound, client)
            return
        self._start(inbound, client)

    def _start(self, inbound: Inbound, client: Client) -> None:
        request = Steps(self._handle(inbound, client), self._loop, self._ended)
        self._requests.add(request)
        request.go_on()

    def _hold_back(self, inbound: Inbound, client: Client) -> None:
        if self._memory.refuses_all:
            self._turn_away(client, _NO_MEMORY)
        elif self.draining:
            self._turn_away(client, FULL)
        else:
            self._queue.add(inbound, client)

    def _turn_away(self, client: Client, problem: Problem) -> None:
        for bound in _BOUNDS.get(problem.detail, ()):
            self._metrics.bounds.reject(bound)
        self.count_refusal(problem)
        client.refuse(problem, new_request_id())

    def send_away(self, client: Client) -> None:
        """Let this client's request wait no longer: the worker drains."""
        self._queue.give_up(client, Problem(Code.DRAINING, "queue", retry_after_s=RETRY_AFTER_S))

    def _let_in(self) -> None:
        """As many as there are places, until which nobody else can come. One that ends at once makes room for the next
        one here, not from within itself: a hundred would be too deep."""
        if self._is_letting_in:
            return
        self._is_letting_in = True
        try:
            while self._queue.waiting and len(self._requests) < self.limits.in_flight:
                one = self._queue.take()
                self._start(one.inbound, one.client)
        finally:
            self._is_letting_in = False

    def _ended(self, request: Steps) -> None:
        self._requests.discard(request)
        if self._queue.waiting:
            self._let_in()
        if self._all_ended and not self._requests and not self._all_ended.done():
            self._all_ended.set_result(None)

    async def idle(self, seconds: float) -> int:
        """Wait until no request is under way, so long at most; those left are cancelled. How many that were."""
        if self._requests:
            self._all_ended = self._loop.create_future()
            await asyncio.wait((self._all_ended,), timeout=seconds)
        left = tuple(self._requests)
        for request in left:
            request.cancel()
        if self._requests and self._all_ended:
            await self._all_ended
        return len(left)

    def count_refusal(self, problem: Problem) -> None:
        self._metrics.count_refusal(problem.code.value)
        self._metrics.count_request(problem.http_status)

    def date_header(self) -> bytes:
        """`date: …` for answers of our own, made once a second."""
        second = int(monotonic())
        if self._date[0] != second:
            self._date = (second, f"date: {formatdate(unix_seconds(), usegmt=True)}\r\n".encode())
        return self._date[1]
