"""When a request is sent again that got no answer, and how long is waited before. Source: catalog-and-clients D.4.9."""

from typing import Final

ATTEMPTS_MAX: Final = 5
WAITS_S: Final = (2.0, 4.0, 8.0, 20.0)
JITTER: Final = 0.2  # of a wait, to either side
RETRY_AFTER_S_MAX: Final = 600  # nobody sits before a terminal for longer; then it is a refusal
_WORTH_IT: Final = frozenset({408, 429})


def is_retryable(status: int) -> bool:
    """status 0: the connection failed before any byte of an answer."""
    return status == 0 or status in _WORTH_IT or status >= 500


def pause_s(attempts: int, status: int, retry_after_s: int | None, roll: float) -> float | None:
    """Seconds until the next attempt; None: that was the last one.

    attempts: how many were made. retry_after_s: what the gateway asks for, which is obeyed exactly. roll: 0 to 1.
    """
    if attempts >= ATTEMPTS_MAX or not is_retryable(status):
        return None
    if retry_after_s is not None:
        return None if retry_after_s > RETRY_AFTER_S_MAX else float(retry_after_s)
    wait = WAITS_S[min(attempts, len(WAITS_S)) - 1]
    return wait * (1 - JITTER + 2 * JITTER * roll)
