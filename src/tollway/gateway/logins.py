"""Failed logins per client address: who shows too many credentials that nobody knows has no more of them looked up.

A credential that this process has found good is never refused here, so that an address which many share locks nobody
out who was already let in. Source: guarantees §3.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from tollway.errors import Code, Problem, Quota
from tollway.identity.caller import Refusal
from tollway.limits.addresses import login_name
from tollway.limits.failed_logins import FailedLogins
from tollway.observability.logs import get_log
from tollway.observability.metrics import Metrics
from tollway.settings import Settings
from tollway.wire.address import limiting_key

WINDOW_S: Final = 60.0
ADDRESSES_MAX: Final = 10_000
TOO_MANY: Final = "Too many failed logins from this address. Please try again later."

_log = get_log()


class Logins:
    """Counted in this process. One event loop only."""

    def __init__(self, settings: Settings, secret: bytes, metrics: Metrics, now: Callable[[], float]) -> None:
        """`secret` makes the names by which the log speaks of addresses (guarantees P2). `now`: monotonic seconds."""
        self._per_minute = settings.limits.failed_logins_per_minute
        self._failed = FailedLogins(self._per_minute, WINDOW_S, ADDRESSES_MAX)
        self._ipv6_prefix = settings.rate_limit_ipv6_prefix
        self._secret = secret
        self._metrics = metrics
        self._now = now

    def refusal(self, address: str) -> Problem | None:
        """Of a credential that would have to be looked up, or is known to be bad. `address`: canonical, or ""."""
        if not self._failed:
            return None
        wait_s = self._failed.wait_s(self._key(address), self._now())
        if not wait_s:
            return None
        self._metrics.bounds.reject("failed_logins")
        seconds = ceil(wait_s)
        quota = Quota(self._per_minute, seconds)
        return Problem(Code.RATE_LIMITED, "failed logins", retry_after_s=seconds, shown=TOO_MANY, quota=quota)

    def count(self, address: str, refusal: Refusal, *, is_repeated: bool) -> None:
        """A credential was shown and is not good. `is_repeated`: it is still known why, or being asked. Whoever goes on
        with what was theirs, and has run out or was taken back, guesses nothing and costs no look-up: that is counted
        once."""
        if not self._per_minute or (is_repeated and refusal.user_id):
            return
        key = self._key(address)
        if self._failed.add(key, self._now()):
            _log.warning("security_event", action="refuse_logins", address=login_name(self._secret, key))

    def _key(self, address: str) -> str:
        return limiting_key(address, self._ipv6_prefix) if address else ""
