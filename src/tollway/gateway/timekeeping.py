"""Which time it is when the wall clock was moved: what the database says, else what the wall clock says for long.

Several machines then have one time, that of their database, and one laptop its own, which nobody can set a day ahead
to spend a daily limit twice. Source: guarantees M11.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from tollway.clock import MOVED_S, SteadyClock
from tollway.observability.logs import get_log

BELIEVED_AFTER_S: Final = 900.0  # a wall clock that was moved is right, if nobody moves it again for so long
ANSWER_S_MAX: Final = 2.0  # what took longer to be told may be told too late

_NS: Final = 1_000_000_000
_log = get_log()


class Timekeeper:
    """Of one process. `database_ns` asks the database for the time, unless it has none but that of this machine."""

    def __init__(
        self,
        clock: SteadyClock,
        monotonic: Callable[[], float],
        database_ns: Callable[[], Awaitable[int]] | None,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._database_ns = database_ns
        self._moved_s = 0.0
        self._moved_at = 0.0

    async def keep(self) -> None:
        """Look once. Raises StoreUnavailableError; time goes on then as it did."""
        if self._database_ns is not None:
            await self._ask(self._database_ns)
        self._watch()

    async def _ask(self, database_ns: Callable[[], Awaitable[int]]) -> None:
        asked_at = self._monotonic()
        told = await database_ns()
        ahead_s = (told - self._clock.now_ns()) / _NS
        if abs(ahead_s) >= MOVED_S and self._monotonic() - asked_at <= ANSWER_S_MAX:
            self._clock.set_to(told)
            _log.warning("time_set_by_database", ahead_s=round(ahead_s, 1))

    def _watch(self) -> None:
        moved_s = self._clock.moved_s
        if abs(moved_s - self._moved_s) >= MOVED_S:
            self._moved_s, self._moved_at = moved_s, self._monotonic()
            if moved_s:
                _log.warning("wall_clock_moved", by_s=round(moved_s, 1))
        elif moved_s and self._database_ns is None and self._monotonic() - self._moved_at >= BELIEVED_AFTER_S:
            self._clock.follow_the_wall()
            self._moved_s = 0.0
            _log.warning("wall_clock_believed", by_s=round(moved_s, 1))
