"""How often something happened of late, in constant memory. Pure: the clock is an argument."""


class RecentCount:
    """Counts over the last `window_s` seconds, which move on in `steps` steps: what is older is forgotten, and up to
    one step of what is not. A clock that steps back counts as one that stands."""

    def __init__(self, window_s: float, steps: int) -> None:
        self._step_s = window_s / steps
        self._counts = [0] * steps
        self._step = 0

    def add(self, now: float) -> None:
        """One more, at `now` (monotonic seconds)."""
        step = int(now / self._step_s)
        if step > self._step:
            self._move_to(step)
        self._counts[self._step % len(self._counts)] += 1

    def total(self, now: float) -> int:
        step = int(now / self._step_s)
        if step > self._step:
            self._move_to(step)
        return sum(self._counts)

    def _move_to(self, step: int) -> None:
        counts = self._counts
        for passed in range(min(step - self._step, len(counts))):
            counts[(step - passed) % len(counts)] = 0
        self._step = step
