"""What sheds load, put together: memory is looked at beside the requests, and every bound has its metrics.

A part of the composition root (`app.py`).
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from tollway.gateway.drains import Drains
from tollway.gateway.services import Services
from tollway.http.background import Every
from tollway.http.client_address import Peer
from tollway.http.edge import Edge, Handle
from tollway.http.open_files import open_files
from tollway.limits.memory import ALL_PERCENT, ANONYMOUS_PERCENT, Memory, Pressure, pressure_of
from tollway.observability.logs import get_log
from tollway.observability.metrics import Metrics
from tollway.settings import Settings
from tollway.storage.memory_use import find_memory, give_back_freed_memory
from tollway.upstream.client import HttpUpstreams

LOOK_S: Final = 1.0

_log = get_log()


class Overload:
    """Of one worker."""

    def __init__(self, settings: Settings, metrics: Metrics, client: HttpUpstreams) -> None:
        self._client = client
        self._bounds = bounds = metrics.bounds
        self.drains = Drains(settings.limits.drains, metrics.drains.set, partial(bounds.reject, "drains"))
        self._source = find_memory(settings.limits.memory_bytes, settings.workers)
        self.memory = Memory(self._source.limit_bytes if self._source else None)
        self._pressure = Pressure.NONE
        if self._source:
            for bound, percent in (("memory", ALL_PERCENT), ("memory_anonymous", ANONYMOUS_PERCENT)):
                bounds.show(bound, self._source.limit_bytes * percent // 100, lambda: self.memory.used_bytes)

    def open_edge(self, services: Services, handle: Handle, peer_of: Callable[[str], Peer]) -> Edge:
        """The way in, whose bounds are shown from now on, as all others are."""
        settings, files = services.settings, open_files()
        parts = settings.limits, settings.timeouts, services.deadlines, services.metrics
        edge = Edge(*parts, handle, peer_of, asyncio.get_running_loop(), self.memory, files)
        self._show(edge, services, files)
        return edge

    def _show(self, edge: Edge, services: Services, files: int) -> None:
        limits, show, client = services.settings.limits, self._bounds.show, self._client
        show("connections", edge.connections_max, lambda: edge.connections)
        show("connections_per_address", limits.connections_per_address)
        show("in_flight", limits.in_flight, lambda: edge.in_flight)
        show("failed_logins", limits.failed_logins_per_minute)
        show("queue", limits.queue, lambda: edge.waiting)
        show("in_flight_per_account", limits.in_flight_per_account)
        show("in_flight_per_key", limits.in_flight_per_key)
        show("upstream_in_flight", limits.upstream_in_flight, lambda: _fullest(pool.open for pool in client.pools()))
        show(
            "upstream_connecting",
            limits.upstream_connecting,
            lambda: _fullest(pool.connecting for pool in client.pools()),
        )
        show("custom_upstream_pools", limits.custom_upstream_pools, lambda: client.guarded)
        show("drains", limits.drains, lambda: self.drains.current)
        show("open_files", files)
        if edge.connections_max < limits.connections:
            _log.warning("few_open_files", files=files, connections=edge.connections_max)

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


def _fullest(counts: Iterable[int]) -> int:
    """A bound of each upstream is as near as that of the one that has most; labels for all would have no end."""
    return max(counts, default=0)
