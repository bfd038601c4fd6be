"""When the next run of the sync is due, and which worker of the deployment runs it.

The one that has the lock keeps it; the others ask from time to time, so that one of them goes on when it is gone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tollway.admin.sync import RunLock

ASK_S: Final = 30.0  # of a worker that has not got the lock
FIRST_S: Final = 60.0  # between failed runs while there is no snapshot at all
REARM_S: Final = 3 * 86_400.0  # after an alarm, while nothing gets better


@dataclass(slots=True)
class Schedule:
    """`newest_at`: when the newest snapshot was stored, None: never. `on_stale(age in seconds)`: once per incident.

    `monotonic`: seconds. Methods raise StoreUnavailableError.
    """

    interval_s: float
    stale_s: float
    lock: RunLock
    newest_at: Callable[[], Awaitable[datetime | None]]
    run: Callable[[], Awaitable[None]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    on_stale: Callable[[float], None]
    _due: float = field(default=float("-inf"), init=False)
    _told_at: float | None = field(default=None, init=False)

    async def run_if_due(self) -> None:
        """Called all the time."""
        if self.monotonic() < self._due:
            return
        if not await self.lock.hold():
            self._due = self.monotonic() + ASK_S
            return
        age = await self._age_s()
        if age is not None and age < self.interval_s:
            self._due = self.monotonic() + self.interval_s - age
            return
        self._due = self.monotonic() + (self.interval_s if age is not None else min(self.interval_s, FIRST_S))
        await self.run()
        self._alarm(await self._age_s())

    async def _age_s(self) -> float | None:
        at = await self.newest_at()
        return None if at is None else max((self.now() - at).total_seconds(), 0.0)

    def _alarm(self, age: float | None) -> None:
        if age is None or age <= self.stale_s:
            self._told_at = None
        elif self._told_at is None or self.monotonic() - self._told_at >= REARM_S:
            self._told_at = self.monotonic()
            self.on_stale(age)
