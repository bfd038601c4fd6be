"""How often an owner may have endpoints tried: each worker counts for itself and gives away its part.

Bounded: beyond OWNERS_MAX owners the one who came longest ago is forgotten.
"""

from collections.abc import Callable
from typing import Final

from tollway.errors import Code, Problem
from tollway.identity.owned import Owner
from tollway.limits.window import ExactWindow

OWNERS_MAX: Final = 10_000
HOUR_MS: Final = 3_600_000


class ProbeLimits:
    """`most` an hour for each owner. `now_ms`: a clock in milliseconds that never goes back, with any start."""

    def __init__(self, most: int, now_ms: Callable[[], int]) -> None:
        self._most = most
        self._now_ms = now_ms
        self._windows: dict[Owner, ExactWindow] = {}  # who came longest ago first

    def take(self, owner: Owner) -> Problem | None:
        """Refuses: rate_limited."""
        now = self._now_ms()
        window = self._windows.pop(owner, None) or ExactWindow(HOUR_MS)
        if len(self._windows) >= OWNERS_MAX:
            del self._windows[next(iter(self._windows))]
        self._windows[owner] = window
        if window.log("", now, self._most):
            return None
        return Problem(Code.RATE_LIMITED, "probes", retry_after_s=(window.frees_at(now) - now + 999) // 1000)
