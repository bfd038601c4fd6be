"""What all connections of a worker share: bounds, the sweep, the way into the gateway."""

import asyncio
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

from tollway.clock import monotonic, unix_seconds
from tollway.deadlines import Deadlines
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.ids import new_request_id
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts

Handle = Callable[[Inbound, Client], Coroutine[Any, Any, None]]


class Edge:
    """Counts connections and requests under way; starts the task of each hot request and keeps hold of it."""

    def __init__(
        self,
        limits: Limits,
        timeouts: Timeouts,
        deadlines: Deadlines,
        metrics: Metrics,
        handle: Handle,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """`loop`: the one all this runs on; asking for it anew costs a system call per request."""
        self._loop = loop
        self.limits = limits
        self.timeouts = timeouts
        self.deadlines = deadlines
        self.draining = False
        self._metrics = metrics
        self._handle = handle
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_address: dict[str, int] = {}
        self._connections = 0
        self._date = (0, b"")

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    def admit(self, address: str) -> Problem | None:
        """Count a new connection. Refuses: overloaded (too many in all), too_many_requests (of this address)."""
        self._connections += 1
        mine = self._by_address[address] = self._by_address.get(address, 0) + 1
        self._metrics.connections.set(self._connections)
        if self._connections > self.limits.connections:
            return Problem(Code.OVERLOADED, "connections")
        if mine > self.limits.connections_per_address:
            return Problem(Code.TOO_MANY_REQUESTS, "connections", retry_after_s=1)
        return None

    def leave(self, address: str) -> None:
        self._connections -= 1
        self._metrics.connections.set(self._connections)
        if self._by_address[address] == 1:
            del self._by_address[address]
        else:
            self._by_address[address] -= 1

    def serve(self, inbound: Inbound, client: Client) -> None:
        """Start the task of one request, or refuse it when too many are under way."""
        if len(self._tasks) >= self.limits.in_flight:
            problem = Problem(Code.OVERLOADED, "requests in flight", retry_after_s=1)
            self.count_refusal(problem)
            client.refuse(problem, new_request_id())
            return
        start_task(self._handle(inbound, client), self._tasks, self._loop)

    async def idle(self, seconds: float) -> int:
        """Wait until no request is under way, so long at most; those left are cancelled. How many that were."""
        ends_at = self.deadlines.now() + seconds
        while self._tasks and (left_s := ends_at - self.deadlines.now()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)
        left = tuple(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
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


def start_task(
    work: Coroutine[Any, Any, None], held: set[asyncio.Task[None]], loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Run `work` beside everything else; `held` keeps the task until it is done, since the loop does not."""
    task = (loop or asyncio.get_running_loop()).create_task(work)
    held.add(task)
    task.add_done_callback(held.discard)
