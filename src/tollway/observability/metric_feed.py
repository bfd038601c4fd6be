"""Records that wait to be kept: in memory, bounded, taken in batches by whoever writes them.

Nothing waits for them: beyond the bound a record is dropped and counted (guarantees §8).
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

from tollway.observability.api_metrics import Measured


class Waiting:
    """A queue of one sink. `on_drop(count)` hears what it could not keep."""

    def __init__(self, most: int, on_drop: Callable[[int], object]) -> None:
        self._most = most
        self._on_drop = on_drop
        self._records: deque[Measured] = deque()

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: Measured) -> bool:
        """Whether there was room."""
        if len(self._records) >= self._most:
            self._on_drop(1)
            return False
        self._records.append(record)
        return True

    def first(self, count: int) -> tuple[Measured, ...]:
        """The oldest ones; they stay until `remove`."""
        return tuple(islice(self._records, count))

    def remove(self, count: int, lost: int = 0) -> None:
        """The sink is done with the oldest `count`; `lost` of them it could not keep."""
        for _ in range(count):
            self._records.popleft()
        if lost:
            self._on_drop(lost)


class MetricFeed:
    """Where a request's record goes: to every sink there is."""

    def __init__(self, sinks: tuple[Waiting, ...]) -> None:
        self._sinks = sinks

    def add(self, record: Measured) -> None:
        for sink in self._sinks:
            sink.add(record)
