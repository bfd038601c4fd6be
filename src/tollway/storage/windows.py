"""The windows that the settings ask for: Redis with the process's own behind it, or the process's own alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tollway.catalog.preset import FreeLimits
from tollway.clock import monotonic
from tollway.limits.fallback import FallbackWindows
from tollway.limits.rules import rules_of
from tollway.limits.store import Windows
from tollway.observability.metrics import Metrics
from tollway.settings import Settings, SettingsError
from tollway.storage.memory.windows import MemoryWindows


@dataclass(frozen=True, slots=True)
class OpenWindows:
    """`sweep` is to be called now and then, `close` at the end."""

    windows: Windows
    sweep: Callable[[], None]
    close: Callable[[], Awaitable[None]]


def open_windows(settings: Settings, limits: FreeLimits, metrics: Metrics) -> OpenWindows:
    """Nothing is contacted yet. Raises SettingsError for an address of Redis that cannot be used."""
    sharers = settings.instances * settings.workers
    own = MemoryWindows(rules_of(limits, sharers), settings.limits.free_addresses, _milliseconds)
    metrics.free_use.addresses.set_function(lambda: len(own))
    address = settings.redis_address()
    if not address:
        return OpenWindows(own, own.sweep, _nothing)
    from tollway.storage.redis.client import open_client  # lazy: 6 MB that only a deployment with Redis needs
    from tollway.storage.redis.windows import RedisWindows  # lazy: as above

    timeout_s = settings.timeouts.redis_s
    try:
        client = open_client(address, timeout_s)
    except ValueError:
        raise SettingsError("redis_url: is not an address of Redis") from None
    shared = RedisWindows(client, rules_of(limits), timeout_s)
    windows = FallbackWindows(shared, own, monotonic, metrics.free_use.fallbacks.inc)
    return OpenWindows(windows, own.sweep, shared.close)


def _milliseconds() -> int:
    return int(monotonic() * 1000)


async def _nothing() -> None: ...
