"""Requests under way, counted per name (payer or key). In memory: a worker's share of the limit is its own."""

from collections.abc import Sequence


class Slots:
    """Counts by name; names that are at zero are forgotten."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, places: Sequence[tuple[str, int]]) -> str | None:
        """Take one place under each name (name, most), or none at all; the name that is full, or None."""
        taken = self._taken
        for name, most in places:
            if taken.get(name, 0) >= most:
                return name
        for name, _ in places:
            taken[name] = taken.get(name, 0) + 1
        return None

    def give_back(self, names: tuple[str, ...]) -> None:
        taken = self._taken
        for name in names:
            left = taken[name] - 1
            if left:
                taken[name] = left
            else:
                del taken[name]
