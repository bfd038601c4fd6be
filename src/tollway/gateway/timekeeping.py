"""Which time it is when the wall clock was moved: what the database says, else what the wall clock says for long.

Several machines then have one time, that of their database, and one laptop its own, which nobody can set a day ahead
to spend a daily limit twice. A worker begins with the clock of the process that forked it, so that one looks as well:
else each worker in place of another would begin with the time of long ago. Source: guarantees M11.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from tollway.clock import MOVED_S, SteadyClock
from tollway.observability.logs import get_log

LOOK_S: Final = 5.0  # from one look to the next
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

    async def keep(self) -> None:
        """Look once. Raises StoreUnavailableError; time goes on then as it did."""
        if self._database_ns is not None:
            await self._ask(self._database_ns)
        told = watch(self._clock, self._monotonic(), may_believe=self._database_ns is None)
        if told is not None:
            event, by_s = told
            _log.warning(event, by_s=round(by_s, 1))

    async def _ask(self, database_ns: Callable[[], Awaitable[int]]) -> None:
        asked_at = self._monotonic()
        told = await database_ns()
        ahead_s = (told - self._clock.now_ns()) / _NS
        if abs(ahead_s) >= MOVED_S and self._monotonic() - asked_at <= ANSWER_S_MAX:
            self._clock.set_to(told)
            _log.warning("time_set_by_database", ahead_s=round(ahead_s, 1))


def watch(clock: SteadyClock, now: float, *, may_believe: bool) -> tuple[str, float] | None:
    """Look at the wall clock once, at `now` (monotonic): what there is to tell, and by how many seconds it was moved.

    `may_believe`: nobody else says what time it is, so one that stays as it is will be followed.
    """
    clock.now_ns()  # it follows what is slewed when it is asked, and maybe nobody else asks it here
    moved_s, (noted_s, noted_at) = clock.moved_s, clock.noted_move
    if abs(moved_s - noted_s) >= MOVED_S:
        clock.noted_move = moved_s, now
        return ("wall_clock_moved", moved_s) if moved_s else None
    if moved_s and may_believe and now - noted_at >= BELIEVED_AFTER_S:
        clock.follow_the_wall()
        clock.noted_move = 0.0, now
        return "wall_clock_believed", moved_s
    return None
