"""One timer for all time-outs of a worker: every connection says until when it may wait, a sweep finds the late ones.

Moving a deadline is one attribute write, so chunks cost nothing. A sweep costs up to a microsecond for each entry
that nothing has just touched, so many are swept part by part, and nobody waits for it long. Resolution is the tick
(0.25 s) for some thousands, which no time-out of ours is finer than, and a second for 30,000.
"""

import asyncio
from collections.abc import Callable, Iterable
from math import ceil, inf
from typing import Final, Protocol

from tollway.clock import monotonic

TICK_S: Final = 0.25
PART: Final = 1_500  # entries
PART_TICK_S: Final = 0.05  # at least, between two parts
NEVER: Final = inf


class Watched(Protocol):
    """Something that may be late. `deadline` is monotonic seconds, NEVER when nothing is awaited."""

    deadline: float

    def expire(self, now: float) -> None:
        """Called once the deadline has passed; must move it, or forget itself."""
        ...


class Deadlines:
    """The entries of one event loop and their sweep."""

    def __init__(self, now: Callable[[], float] = monotonic, tick_s: float = TICK_S) -> None:
        self.now = now
        self._tick_s = tick_s
        self._watched: set[Watched] = set()
        self._left: list[Watched] = []  # of the present sweep, when it goes part by part
        self._wait_s = tick_s
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, entry: Watched) -> None:
        self._watched.add(entry)

    def forget(self, entry: Watched) -> None:
        self._watched.discard(entry)

    def sweep(self) -> int:
        """Expire what is late; how many that were."""
        return self._sweep(self._watched)

    def sweep_part(self) -> float:
        """Expire what is late of the next part; in how many seconds another is due."""
        self._sweep(self._next_part())
        return self._wait_s

    def _next_part(self) -> list[Watched]:
        if not self._left:
            self._left = list(self._watched)
            parts = max(1, ceil(len(self._left) / PART))
            self._wait_s = max(self._tick_s / parts, min(self._tick_s, PART_TICK_S))
        part = self._left[-PART:]
        del self._left[-PART:]
        return part

    def _sweep(self, entries: Iterable[Watched]) -> int:
        now = self.now()
        late = [entry for entry in entries if entry.deadline <= now]
        for entry in late:
            if entry in self._watched and entry.deadline <= now:  # an earlier one may have moved or ended it
                self._expire(entry, now)
        return len(late)

    def _expire(self, entry: Watched, now: float) -> None:
        """A bug in one entry is reported by the loop, and must not keep the others from being looked at again."""
        done = False
        try:
            entry.expire(now)
            done = True
        finally:
            if not done:
                self._watched.discard(entry)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sweep every tick until `stop`."""
        self._timer = loop.call_later(self._tick_s, self._tick, loop)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        part = self._next_part()
        self._timer = loop.call_later(self._wait_s, self._tick, loop)
        self._sweep(part)
