"""The relays under way, so that a worker that must end can end them honestly."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Stoppable(Protocol):
    def shut_down(self) -> None: ...


class OpenRelays:
    """All relays of a worker that wait for their upstream."""

    def __init__(self) -> None:
        self._open: set[Stoppable] = set()
        self._closed = False

    @contextmanager
    def kept(self, relay: Stoppable) -> Iterator[None]:
        """Known from here to the end of the block. After `shut_down` it is ended at once."""
        self._open.add(relay)
        if self._closed:
            relay.shut_down()
        try:
            yield
        finally:
            self._open.discard(relay)

    def shut_down(self) -> int:
        """End every one with an error event; how many there were."""
        self._closed = True
        relays = tuple(self._open)
        for relay in relays:
            relay.shut_down()
        return len(relays)
