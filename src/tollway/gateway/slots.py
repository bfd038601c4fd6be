"""Requests under way, counted per name (payer or key). In memory: a worker's share of the limit is its own."""


class Slots:
    """Counts by name; names that are at zero are forgotten."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, places: list[tuple[str, int]]) -> str | None:
        """Take one place under each name (name, most), or none at all; the name that is full, or None."""
        for name, most in places:
            if self._taken.get(name, 0) >= most:
                return name
        for name, _ in places:
            self._taken[name] = self._taken.get(name, 0) + 1
        return None

    def give_back(self, names: tuple[str, ...]) -> None:
        for name in names:
            left = self._taken[name] - 1
            if left:
                self._taken[name] = left
            else:
                del self._taken[name]
