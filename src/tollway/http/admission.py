"""The queue of requests that wait for a place in a full worker: first come, first served, each for so long at most.

When the queue is full, who shows no credential goes first (guarantees O4), then the credential that has most requests
in it, so that a flood does not keep others out: of these the newcomer, or else the one that came last. A client that
leaves gives its place up at once. The queue is one entry of the worker's `Deadlines`, whatever its length; it costs
nothing while nobody waits. Source: guarantees §3.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from tollway.deadlines import NEVER, Deadlines
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client

RETRY_AFTER_S: Final = 1
FULL: Final = Problem(Code.OVERLOADED, "requests in flight", retry_after_s=RETRY_AFTER_S)
GONE: Final = Problem(Code.CLIENT_GONE, "left the queue")


class Waiting:
    """A request in the queue. It listens to its client meanwhile."""

    __slots__ = ("_leave", "client", "credential", "inbound", "until")

    def __init__(self, inbound: Inbound, client: Client, until: float, leave: Callable[["Waiting"], None]) -> None:
        self.inbound = inbound
        self.client = client
        self.credential = inbound.credential
        self.until = until  # monotonic seconds
        self._leave = leave

    def client_gone(self) -> None:
        self._leave(self)

    def client_paused(self) -> None: ...

    def client_resumed(self) -> None: ...


class AdmissionQueue:
    """At most `most` requests, each for `wait_s` seconds. One event loop only."""

    def __init__(
        self, most: int, wait_s: float, deadlines: Deadlines, turn_away: Callable[[Client, Problem], None]
    ) -> None:
        """`turn_away(client, problem)`: end a request that is not let in; called once it is out of the queue."""
        self.deadline = NEVER
        self.waiting: deque[Waiting] = deque()  # the one who came first, first
        self._by_credential: dict[str, int] = {}  # how many of each wait
        self._most = most
        self._wait_s = wait_s
        self._deadlines = deadlines
        self._turn_away = turn_away

    def add(self, inbound: Inbound, client: Client) -> None:
        """Let a request wait, or turn one away."""
        one = Waiting(inbound, client, self._deadlines.now() + self._wait_s, self._left)
        if len(self.waiting) >= self._most:
            yields = self._who_yields_to(one.credential)
            if yields is None:
                self._turn_away(client, FULL)
                return
            self._end(yields, FULL)
        self.waiting.append(one)
        self._by_credential[one.credential] = self._by_credential.get(one.credential, 0) + 1
        client.listener = one
        self.deadline = self.waiting[0].until
        self._deadlines.watch(self)

    def take(self) -> Waiting:
        """The one whose turn it is."""
        one = self.waiting.popleft()
        self._forget(one)
        return one

    def give_up(self, client: Client, problem: Problem) -> None:
        """Turn this client's request away, if it is one that waits."""
        one = client.listener
        if isinstance(one, Waiting):
            self._end(one, problem)

    def expire(self, now: float) -> None:
        while self.waiting and self.waiting[0].until <= now:
            self._turn_away(self.take().client, FULL)

    def _left(self, one: Waiting) -> None:
        self._end(one, GONE)

    def _end(self, one: Waiting, problem: Problem) -> None:
        self.waiting.remove(one)
        self._forget(one)
        self._turn_away(one.client, problem)

    def _forget(self, one: Waiting) -> None:
        one.client.listener = None
        left = self._by_credential[one.credential] - 1
        if left:
            self._by_credential[one.credential] = left
        else:
            del self._by_credential[one.credential]
        if self.waiting:
            self.deadline = self.waiting[0].until
        else:
            self.deadline = NEVER
            self._deadlines.forget(self)

    def _who_yields_to(self, credential: str) -> Waiting | None:
        """Who goes instead of a newcomer; None: nobody."""
        counts = self._by_credential
        if not credential or not counts:
            return None
        yields = "" if "" in counts else max(counts, key=counts.__getitem__)
        if yields and counts[yields] <= counts.get(credential, 0) + 1:  # the newcomer would be no better off
            return None
        return next(one for one in reversed(self.waiting) if one.credential == yields)
