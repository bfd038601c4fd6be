"""What the gateway remembers of OpenAI's assistant messages: the phase of each, which Chat Completions cannot carry."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from tollway.billing.store import StoreUnavailableError
from tollway.observability.logs import get_log

KEPT: Final = timedelta(days=30)  # a conversation that rests longer goes on without its phases (response-path 5.9)
UNWRITTEN_MAX: Final = 10_000
WRITE_S: Final = 0.2
FORGET_S: Final = 3_600.0
FORGOTTEN_AT_ONCE: Final = 1_000

_log = get_log()


class Phases(Protocol):
    """Phases by key (`wire/dialects/phases.py` makes the keys). Methods raise StoreUnavailableError.

    Whoever calls must not let an answer wait for them, nor a request fail because they are not to be had.
    """

    def find(self, keys: Collection[str]) -> Awaitable[Mapping[str, str]]:
        """Key → phase of those that are known, in one query; none is asked for no keys."""
        ...

    def remember(self, phases: Mapping[str, str]) -> Awaitable[None]:
        """Key → phase. The first phase of a key stays."""
        ...

    def forget(self, before: datetime, rows_max: int) -> Awaitable[int]:
        """Delete what is older than `before`, at most `rows_max`, oldest first; how many that were."""
        ...


class PhaseMemory:
    """Phases as requests use them: what was learned is at hand at once and stored a little later, and a database that
    cannot be reached takes nothing away but the phases."""

    def __init__(self, phases: Phases, now: Callable[[], datetime]) -> None:
        self._phases = phases
        self._now = now
        self._unwritten: dict[str, str] = {}

    @property
    def jobs(self) -> tuple[tuple[float, str, Callable[[], Awaitable[None]]], ...]:
        """What is to be done again and again: every so many seconds, name, job."""
        return (WRITE_S, "phases", self.write), (FORGET_S, "old_phases", self.forget_old)

    def note(self, phases: Mapping[str, str]) -> None:
        """Key → phase, to be remembered. Beyond UNWRITTEN_MAX they are let go."""
        if len(self._unwritten) < UNWRITTEN_MAX:
            self._unwritten = {**phases, **self._unwritten}  # the first of a key stays

    async def find(self, keys: Collection[str]) -> Mapping[str, str]:
        """Those that are known."""
        noted = {key: self._unwritten[key] for key in keys if key in self._unwritten}
        try:
            return {**noted, **await self._phases.find([key for key in keys if key not in noted])}
        except StoreUnavailableError as error:
            _log.warning("phases_not_found", error=error)
            return noted

    async def write(self) -> None:
        """Store what was noted. Raises StoreUnavailableError; nothing is forgotten then."""
        noted = self._unwritten
        if noted:
            await self._phases.remember(noted)
            self._unwritten = {key: phase for key, phase in self._unwritten.items() if key not in noted}

    async def forget_old(self) -> None:
        """Raises StoreUnavailableError."""
        while await self._phases.forget(self._now() - KEPT, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
            pass
