"""How long the place of a worker that has ended stays empty: the longer, the more of them end soon. Pure."""

from typing import Final

FIRST_S: Final = 0.25
PAUSE_S_MAX: Final = 10.0
# Who served for as long as the longest pause did not end of its start. Anything less would start a worker that always
# ends a moment after it is ready four times a second for ever, each time at the cost of what it had accepted.
SERVED_S_MIN: Final = 10.0
# Of one that was ready and ended by somebody else or for want of memory. Not its start was the reason, so more patience
# would only be more time without it.
KILLED_PAUSE_S_MAX: Final = 1.0


class Backoff:
    """Of one worker's place."""

    __slots__ = ("_next_s",)

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def pause_s(self, served_s: float, was_killed: bool = False) -> float:
        """Its worker has ended: until another one starts. served_s: since it was ready, 0 if it never was;
        was_killed: it was ready, and ended from outside."""
        if served_s >= SERVED_S_MIN:
            self._next_s = FIRST_S
        pause_max = KILLED_PAUSE_S_MAX if was_killed else PAUSE_S_MAX
        pause = min(self._next_s, pause_max)
        self._next_s = min(2 * pause, pause_max)
        return pause
