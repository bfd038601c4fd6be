"""The breaker: an upstream that keeps failing for a model is left alone for a while. Pure: the clock is an argument.

Closed, it counts. Open, it admits nothing. Then it admits one attempt, whose end decides: closed again, or open for
twice as long. Source: guarantees U4.
"""

from typing import Final

from tollway.routing.recent_count import RecentCount
from tollway.settings import BreakerRules

BREAKERS_MAX: Final = 10_000  # models of a caller's own upstream have any name
_STEPS: Final = 30  # in which the window moves on
_NEVER: Final = float("-inf")


class Breaker:
    """Of one upstream and model. All times are monotonic seconds.

    Each attempt that was admitted tells its end under the turn it was given. What began before the breaker opened says
    nothing any more, so a slow success cannot close it, nor can many late failures keep it open. The first trial to
    end decides, also when others were let through since it began: answers take longer than the breaker stays open.
    """

    __slots__ = ("_calls", "_counts_from", "_failed", "_in_a_row", "_open_s", "_open_until", "_rules", "_turn")

    _open_s: float  # for how long it is open, or would be
    _open_until: float  # _NEVER: it is closed
    _in_a_row: int
    _calls: RecentCount
    _failed: RecentCount

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._turn = self._counts_from = 0
        self._close()

    @property
    def is_closed(self) -> bool:
        return self._open_until == _NEVER

    def admit(self, now: float) -> int | None:
        """The turn of an attempt that may begin now; None: it may not.

        When the time is over one may begin; if nothing is heard of that one for as long again, one more.
        """
        if self._open_until != _NEVER:
            if now < self._open_until:
                return None
            self._turn += 1
            self._open_until = now + self._open_s
        return self._turn

    def wait_s(self, now: float) -> float:
        """For how long nothing is admitted."""
        return max(0.0, self._open_until - now)

    def end(self, turn: int, failed: bool | None, now: float) -> bool:
        """An attempt has ended; `failed` is None when that is not the upstream's doing, either way.

        True: with this one the breaker has opened, or stays open for longer.
        """
        if turn < self._counts_from:
            return False
        if self._open_until != _NEVER:
            return self._end_trial(turn, failed, now)
        if failed is None:
            return False
        self._calls.add(now)
        if not failed:
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        self._failed.add(now)
        if self._is_too_much(now):
            self._open(now, self._rules.open_s)
            return True
        return False

    def _end_trial(self, turn: int, failed: bool | None, now: float) -> bool:
        if failed:
            self._open(now, min(2 * self._open_s, self._rules.open_s_max))
        elif failed is False:
            self._close()
        elif turn == self._turn:
            self._open_until = now  # the next one is as good
        return bool(failed)

    def _is_too_much(self, now: float) -> bool:
        rules = self._rules
        if 0 < rules.failures_in_a_row <= self._in_a_row:
            return True
        calls = self._calls.total(now)
        return 0 < rules.calls_min <= calls and self._failed.total(now) >= rules.failure_share * calls

    def _open(self, now: float, seconds: float) -> None:
        self._disregard_others()
        self._open_s = seconds
        self._open_until = now + seconds

    def _close(self) -> None:
        self._disregard_others()
        self._open_until = _NEVER
        self._open_s = self._rules.open_s
        self._in_a_row = 0
        self._calls = RecentCount(self._rules.window_s, _STEPS)
        self._failed = RecentCount(self._rules.window_s, _STEPS)

    def _disregard_others(self) -> None:
        """What is under way was decided about."""
        self._turn += 1
        self._counts_from = self._turn


class Breakers:
    """All of a worker, each made when it is first needed; beyond BREAKERS_MAX the oldest is forgotten.

    `owner`: whose upstream or key it is, "" for the operator's; `route` names upstream and model. Nobody's failures
    touch another's breaker.
    """

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._breakers: dict[str, Breaker] = {}

    def of(self, owner: str, route: str) -> Breaker:
        key = f"{owner}\0{route}" if owner else route
        breaker = self._breakers.get(key)
        if breaker is None:
            if len(self._breakers) >= BREAKERS_MAX:
                del self._breakers[next(iter(self._breakers))]
            breaker = self._breakers[key] = Breaker(self._rules)
        return breaker

    def open_count(self) -> int:
        return sum(not breaker.is_closed for breaker in self._breakers.values())
