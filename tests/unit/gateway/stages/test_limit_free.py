import asyncio

import pytest

from tollway.catalog.classification import Classification
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import limit_free
from unit.gateway.fakes import HOSTED, PRESET, exchange, free_uses, services, settled

CLASSES = Classification(PRESET)


def asks(model: str) -> Exchange:
    one = exchange()
    one.address = "2001:db8::1"
    one.kind = CLASSES.kind_of(model)
    return one


@pytest.mark.parametrize("model", ["vendor/name", "meta-llama/llama-4-scout:free", "z-ai/glm-5:free"])
def test_other_models_are_let_through_at_once(model: str) -> None:
    assert limit_free.run(asks(model), services(free=free_uses())) == ""


@pytest.mark.parametrize("model", [HOSTED])
def test_a_place_is_held_under_a_name_that_is_not_the_address(model: str) -> None:
    free, one = free_uses(), asks(model)
    place = asyncio.run(settled(limit_free.run(one, services(free=free))))
    assert place
    assert one.address not in place
    assert free.windows.holds(place, one.id)


def test_a_full_window_says_when_to_come_back() -> None:
    now = 0
    free = free_uses(now_ms=lambda: now)
    everything, one = services(free=free), asks(HOSTED)
    place = asyncio.run(settled(limit_free.run(one, everything)))
    for number in range(199):
        asyncio.run(free.windows.commit(place, f"{number}", False))
    now = 3_500_000
    asyncio.run(free.windows.commit(place, "200", False))
    problem = asyncio.run(settled(limit_free.run(one, everything)))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retry_after_s) == (Code.FREE_LIMIT_REACHED, 101)  # 100.001 s, rounded up
    assert problem.quota
    assert (problem.quota.limit, problem.quota.resets_in_s) == (200, 101)


def test_another_address_has_a_window_of_its_own() -> None:
    everything, one = services(free=free_uses()), asks(HOSTED)
    other = asks(HOSTED)
    other.address = "203.0.113.9"
    places = {asyncio.run(settled(limit_free.run(each, everything))) for each in (one, other)}
    assert len(places) == 2
