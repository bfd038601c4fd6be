"""How many answers are being read to their end for clients that have gone (guarantees M6)."""

from collections.abc import Callable


class Drains:
    """A bounded count; beyond `most` an answer is aborted and estimated instead. `on_change` hears the count."""

    def __init__(self, most: int, on_change: Callable[[int], object]) -> None:
        self._most = most
        self._on_change = on_change
        self.current = 0

    def take(self) -> bool:
        if self.current >= self._most:
            return False
        self._set(self.current + 1)
        return True

    def give_back(self) -> None:
        self._set(self.current - 1)

    def _set(self, count: int) -> None:
        self.current = count
        self._on_change(count)
