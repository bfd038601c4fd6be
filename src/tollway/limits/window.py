"""Windows over the time just past, as arithmetic: instants are whole milliseconds, and every one is passed in.

An entry counts while it is at most as old as the window is long, to the millisecond: one that is exactly an hour old is
still in the hour (request-path 5.2.2, FL3). Instants that go backwards free nothing early.
"""

from array import array
from typing import Final

HOLD_MS: Final = 60_000  # a place that was only reserved comes back after this (5.5.2)
MINUTE_MS: Final = 60_000


class ExactWindow:
    """Keeps the instant of each entry, and places held for requests that are not logged yet.

    A place is held by name. Entries and live places together never exceed what a call names as `most`.
    """

    __slots__ = ("_entries", "_held", "_length_ms")

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._entries = array("q")  # ascending
        self._held: dict[str, int] = {}  # when each ends, ascending

    def used(self, now: int) -> int:
        """Entries in the window and live places. What is past is forgotten."""
        self._forget(now)
        return len(self._entries) + len(self._held)

    def holds(self, name: str, now: int) -> bool:
        return self._held.get(name, now) > now

    def hold(self, name: str, now: int, most: int) -> bool:
        """Reserve a place; whether there was one. Who holds one already keeps it, no longer than before."""
        used = self.used(now)
        if name in self._held:
            return True
        if used >= most:
            return False
        self._held[name] = max(now + HOLD_MS, next(reversed(self._held.values()), 0))
        return True

    def log(self, name: str, now: int, most: int) -> bool:
        """Turn the place of `name` into an entry; without a place (it may have ended) one is looked for now."""
        used = self.used(now)
        if self._held.pop(name, None) is None and used >= most:
            return False
        self._entries.append(max(now, self._entries[-1]) if self._entries else now)
        return True

    def release(self, name: str) -> None:
        """Give the place of `name` back; nothing when it holds none."""
        self._held.pop(name, None)

    def frees_at(self, now: int) -> int:
        """When the next entry or place goes; after a whole length when there is none."""
        self._forget(now)
        ends = [self._entries[0] + self._length_ms + 1] if self._entries else []
        ends += [next(iter(self._held.values()))] if self._held else []
        return min(ends, default=now + self._length_ms)

    def _forget(self, now: int) -> None:
        first = now - self._length_ms
        gone = 0
        for entry in self._entries:
            if entry >= first:
                break
            gone += 1
        if gone:
            del self._entries[:gone]
        while self._held and next(iter(self._held.values())) <= now:
            del self._held[next(iter(self._held))]


class MinuteWindow:
    """Keeps one number for each minute, because ten thousand instants for each address would be too much (5.5.3).

    A minute counts as long as its last millisecond would, so that an entry leaves up to a minute late, never early.
    """

    __slots__ = ("_counts", "_length_ms", "_minutes", "_total")

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._minutes = array("q")  # ascending; those without an entry are left out
        self._counts = array("q")
        self._total = 0

    def used(self, now: int) -> int:
        """Entries in the window. What is past is forgotten."""
        first = (now - self._length_ms) // MINUTE_MS
        gone = 0
        for minute in self._minutes:
            if minute >= first:
                break
            self._total -= self._counts[gone]
            gone += 1
        if gone:
            del self._minutes[:gone], self._counts[:gone]
        return self._total

    def log(self, now: int) -> None:
        minute = now // MINUTE_MS
        if not self._minutes or minute > self._minutes[-1]:
            self._minutes.append(minute)
            self._counts.append(0)
        self._counts[-1] += 1
        self._total += 1

    def frees_at(self, now: int) -> int:
        """When the oldest minute leaves; after a whole length when there is none."""
        if not self.used(now):
            return now + self._length_ms
        return (self._minutes[0] + 1) * MINUTE_MS + self._length_ms
