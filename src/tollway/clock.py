"""The only place that reads time: `monotonic` for ages and time-outs, `utc_now` for what is stored or shown.

UTC is steady here (guarantees M11): when somebody moves the wall clock, it counts on as if nobody had, until it is
known which of the two is right. Otherwise a step of a day would open a spent daily limit again, or end every session.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

MOVED_S: Final = 5  # the wall clock is slewed a little all the time; what is more at once is a step

monotonic = time.monotonic

_NS: Final = 1_000_000_000
_MOVED_NS: Final = MOVED_S * _NS
_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _elapsed_ns() -> int:
    """Like `monotonic`, and where the system can tell it, with the time that the machine was asleep."""
    return time.clock_gettime_ns(_SINCE_BOOT)


class SteadyClock:
    """UTC that follows the wall clock, except in steps. Both sources give nanoseconds."""

    __slots__ = ("_elapsed_ns", "_offset_ns", "_wall_ns")

    def __init__(self, wall_ns: Callable[[], int], elapsed_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._elapsed_ns = elapsed_ns
        self._offset_ns = wall_ns() - elapsed_ns()

    def now_ns(self) -> int:
        wall, elapsed = self._wall_ns(), self._elapsed_ns()
        offset = wall - elapsed
        if -_MOVED_NS < offset - self._offset_ns < _MOVED_NS:
            self._offset_ns = offset
            return wall
        return elapsed + self._offset_ns

    @property
    def moved_s(self) -> float:
        """By how many seconds the wall clock is away from this one: 0 unless it was moved."""
        moved = self._wall_ns() - self._elapsed_ns() - self._offset_ns
        return 0.0 if -_MOVED_NS < moved < _MOVED_NS else moved / _NS

    def set_to(self, utc_ns: int) -> None:
        """It is known what time it is. The wall clock is followed again as soon as it agrees."""
        self._offset_ns = utc_ns - self._elapsed_ns()

    def follow_the_wall(self) -> None:
        """The wall clock is right as it is now."""
        self.set_to(self._wall_ns())


steady: Final = SteadyClock(time.time_ns, _elapsed_ns)


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.fromtimestamp(steady.now_ns() / _NS, UTC)


def unix_seconds() -> int:
    """Whole seconds since 1970-01-01T00:00:00Z."""
    return steady.now_ns() // _NS


def unix_milliseconds() -> int:
    """Whole milliseconds since 1970-01-01T00:00:00Z."""
    return steady.now_ns() // 1_000_000
