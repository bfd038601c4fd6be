"""One timer for all time-outs of a worker: every connection says until when it may wait, one sweep finds the late ones.

Moving a deadline is one attribute write, so a chunk costs nothing; a sweep over 20,000 entries takes about a
millisecond. Resolution is the tick (0.25 s), which no time-out of ours is finer than.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from tollway.clock import monotonic

TICK_S: Final = 0.25
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
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, entry: Watched) -> None:
        self._watched.add(entry)

    def forget(self, entry: Watched) -> None:
        self._watched.discard(entry)

    def sweep(self) -> int:
        """Expire what is late; how many that were."""
        now = self.now()
        late = [entry for entry in self._watched if entry.deadline <= now]
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
        self._timer = loop.call_later(self._tick_s, self._tick, loop)
        self.sweep()
