"""What sheds load, put together: memory is looked at beside the requests, and every bound has its metrics.

A part of the composition root (`app.py`).
"""

from typing import Final

from tollway.http.background import Every
from tollway.limits.memory import ALL_PERCENT, ANONYMOUS_PERCENT, Memory, Pressure, pressure_of
from tollway.observability.bounds import Bounds
from tollway.observability.logs import get_log
from tollway.settings import Settings
from tollway.storage.memory_use import find_memory, give_back_freed_memory

LOOK_S: Final = 1.0

_log = get_log()


class Overload:
    """Of one worker."""

    def __init__(self, settings: Settings, bounds: Bounds) -> None:
        self._source = find_memory(settings.limits.memory_bytes, settings.workers)
        self.memory = Memory(self._source.limit_bytes if self._source else None)
        self._pressure = Pressure.NONE
        if self._source:
            for bound, percent in (("memory", ALL_PERCENT), ("memory_anonymous", ANONYMOUS_PERCENT)):
                bounds.show(bound, self._source.limit_bytes * percent // 100, lambda: self.memory.used_bytes)

    def start(self, every: Every) -> None:
        """Start looking, if there is a limit."""
        if self._source:
            self._look()
            every(LOOK_S, "memory", self._look)

    def _look(self) -> None:
        """What cannot be read leaves everything as it was. Nobody is refused for what is free already."""
        memory, source = self.memory, self._source
        try:
            used = source.read() if source else 0
            if source and pressure_of(used, source.limit_bytes) is not Pressure.NONE:
                give_back_freed_memory()
                used = source.read()
        except OSError:
            return
        found = memory.note(used)
        if found is not self._pressure:
            self._pressure = found
            _log.warning("memory", used=memory.used_bytes, limit=memory.limit_bytes, refused=found.name.lower())
