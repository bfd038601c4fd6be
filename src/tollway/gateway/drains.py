"""How many answers are being read to their end for clients that have gone (guarantees M6)."""

from collections.abc import Callable


class Drains:
    """A bounded count; beyond `most` an answer is aborted and estimated instead. `on_change` hears the count, `on_full`
    of each that found no place."""

    def __init__(
        self, most: int, on_change: Callable[[int], object], on_full: Callable[[], object] = lambda: None
    ) -> None:
        self._most = most
        self._on_change = on_change
        self._on_full = on_full
        self.current = 0

    def take(self) -> bool:
        if self.current >= self._most:
            self._on_full()
            return False
        self._set(self.current + 1)
        return True

    def give_back(self) -> None:
        self._set(self.current - 1)

    def _set(self, count: int) -> None:
        self.current = count
        self._on_change(count)
