"""When another attempt is allowed, and after which pause. Pure: time and dice are arguments.

Nothing is tried again once a byte has reached the client; that is the caller's part. Source: guarantees U1 to U3.
"""

from dataclasses import dataclass
from typing import Final

from tollway.routing.recent_count import RecentCount
from tollway.settings import Retries

RETRYABLE_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that did not succeed.

    `status` of the answer, or None when there was none; then `sent` says whether the request had left completely (it
    may have been billed), `stale` whether the connection was a kept one that turned out to be dead, and `saturated`
    that our own bound on this upstream is reached, so that only another one can help.
    """

    status: int | None
    sent: bool = False
    stale: bool = False
    saturated: bool = False
    retry_after_s: float | None = None


def pause_before_retry(
    tried: Tried,
    retries_done: int,
    unanswered_retries: int,
    elapsed_s: float,
    total_s: float,
    rules: Retries,
    roll: float,
    elsewhere: bool = False,
) -> float | None:
    """Seconds to wait before trying again; None: give up.

    `unanswered_retries` counts retries after requests that were sent and never answered: one is allowed, because each
    may have been billed. `roll` is a random number in 0..1 (full jitter). `elsewhere`: the next attempt goes to another
    upstream, whom this one's Retry-After does not concern.
    """
    if retries_done >= rules.count_max:
        return None
    pause = _backoff(retries_done, rules, roll)
    if tried.status is None:
        if (tried.sent and unanswered_retries >= 1) or (tried.saturated and not elsewhere):
            return None
        if tried.stale or tried.saturated:
            pause = 0.0
    elif tried.status not in RETRYABLE_STATUSES:
        return None
    elif tried.retry_after_s is not None and not elsewhere:
        if tried.retry_after_s > rules.retry_after_s_max:
            return None
        pause = tried.retry_after_s
    return pause if elapsed_s + pause < total_s else None


def _backoff(retries_done: int, rules: Retries, roll: float) -> float:
    return float(rules.backoff_s * 2**retries_done * roll)


class RetryBudget:
    """Retries as a share of first attempts over the last ten seconds, so that an outage is not answered by a flood."""

    WINDOW_S: Final = 10

    def __init__(self, rules: Retries) -> None:
        self._rules = rules
        self._first = RecentCount(self.WINDOW_S, self.WINDOW_S)
        self._retried = RecentCount(self.WINDOW_S, self.WINDOW_S)

    def count_first(self, now: float) -> None:
        self._first.add(now)

    def take(self, now: float) -> bool:
        """Whether one more retry fits; if so it is counted."""
        allowed = max(self._rules.budget_min, self._rules.budget_share * self._first.total(now))
        if self._retried.total(now) >= allowed:
            return False
        self._retried.add(now)
        return True
