"""Windows that many processes share, and the process's own for as long as those cannot be reached (guarantees §8).

The own ones give away this process's part of each limit, so that all processes together stay near it. After a failure
the shared ones are left alone for PAUSE_S and then tried by one request, so an outage costs the others no time. Places
stay where they were taken. Entries made in an outage are not carried over: at worst an address gets its limit twice.
"""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, Protocol, TypeVar

from tollway.limits.store import Full, Windows, WindowsUnavailableError
from tollway.observability.logs import get_log

T = TypeVar("T")

PAUSE_S: Final = 1.0
SAY_AGAIN_S: Final = 60.0

_log = get_log()


class OwnWindows(Windows, Protocol):
    def holds(self, key: str, request_id: str) -> bool:
        """Whether the request has a live place here."""
        ...


class FallbackWindows:
    """Implements Windows; never raises WindowsUnavailableError."""

    def __init__(
        self, shared: Windows, own: OwnWindows, now: Callable[[], float], on_fallback: Callable[[], object]
    ) -> None:
        """`now`: monotonic seconds. `on_fallback` is called for each decision that the shared windows did not make."""
        self._shared = shared
        self._own = own
        self._now = now
        self._on_fallback = on_fallback
        self._try_again_at = -inf
        self._is_away = False
        self._said_at = -inf

    async def reserve(self, key: str, request_id: str) -> Full | None:
        return await self._ask(lambda windows: windows.reserve(key, request_id))

    async def check(self, key: str) -> Full | None:
        return await self._ask(lambda windows: windows.check(key))

    async def commit(self, key: str, request_id: str, is_anonymous: bool) -> Full | None:
        if self._own.holds(key, request_id):
            return await self._own.commit(key, request_id, is_anonymous)
        return await self._ask(lambda windows: windows.commit(key, request_id, is_anonymous))

    async def release(self, key: str, request_id: str) -> None:
        if self._own.holds(key, request_id):
            await self._own.release(key, request_id)
        else:
            await self._ask(lambda windows: windows.release(key, request_id))

    async def _ask(self, question: Callable[[Windows], Awaitable[T]]) -> T:
        if self._may_try():
            try:
                answer = await question(self._shared)
            except WindowsUnavailableError as error:
                self._failed(error)
            else:
                self._is_away = False
                return answer
        self._on_fallback()
        return await question(self._own)

    def _may_try(self) -> bool:
        if not self._is_away:
            return True
        if self._now() < self._try_again_at:
            return False
        self._try_again_at = self._now() + PAUSE_S  # this one tries; the others wait for what it finds
        return True

    def _failed(self, error: WindowsUnavailableError) -> None:
        now = self._now()
        self._is_away = True
        self._try_again_at = now + PAUSE_S
        if now - self._said_at >= SAY_AGAIN_S:
            self._said_at = now
            _log.warning("shared_windows_unavailable", detail=str(error))
