import asyncio

import pytest
from prometheus_client import CollectorRegistry

from tollway.catalog.preset import FreeLimits
from tollway.limits.fallback import FallbackWindows
from tollway.observability.metrics import Metrics
from tollway.settings import Settings, SettingsError, parse
from tollway.storage.memory.windows import MemoryWindows
from tollway.storage.windows import open_windows

LIMITS = FreeLimits(hosted_count=12)
NOWHERE = "redis://127.0.0.1:1/0"


def _value(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(name)


def _places(settings: Settings) -> int:
    """How many requests one worker lets through while Redis cannot be reached, if it is there at all."""

    async def count() -> int:
        metrics = Metrics()
        opened = open_windows(settings, LIMITS, metrics)
        answers = [await opened.windows.reserve("k", f"{number}") for number in range(20)]
        assert _value(metrics.registry, "tollway_free_addresses") == 1
        fallbacks = _value(metrics.registry, "tollway_window_fallbacks_total")
        assert fallbacks == (20 if settings.redis_url else 0)
        opened.sweep()
        await opened.close()
        return answers.count(None)

    return asyncio.run(count())


@pytest.mark.parametrize(
    ("tree", "places"),
    [
        ({}, 12),
        ({"workers": 2}, 6),
        ({"workers": 2, "instances": 3}, 2),
        ({"workers": 2, "instances": 3, "redis_url": NOWHERE}, 2),
    ],
)
def test_who_counts_alone_gives_away_its_part(tree: dict[str, object], places: int) -> None:
    assert _places(parse(tree)) == places


def test_with_redis_the_process_s_own_stand_behind_it() -> None:
    async def kind(tree: dict[str, object]) -> type:
        opened = open_windows(parse(tree), LIMITS, Metrics())
        await opened.close()
        return type(opened.windows)

    assert asyncio.run(kind({})) is MemoryWindows
    assert asyncio.run(kind({"redis_url": NOWHERE})) is FallbackWindows


def test_an_address_that_is_none_refuses_to_start_without_showing_it() -> None:
    with pytest.raises(SettingsError) as caught:
        open_windows(parse({"redis_url": "redis://user:hunter2@host:port/x"}), LIMITS, Metrics())
    assert str(caught.value) == "redis_url: is not an address of Redis"
