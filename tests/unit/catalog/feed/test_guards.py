from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tollway.catalog.feed import guards
from tollway.catalog.feed.guards import failures_of, judge, prices_of
from tollway.catalog.feed.payloads import PAYLOAD_BYTES_MAX, Payloads
from tollway.catalog.feed.shapes import Pricing
from unit.catalog.feed.test_payloads import payloads

BEFORE = payloads()
ID = "vendor0/model-0"


def repriced(**prices: str | None) -> Payloads:
    models = dict(BEFORE.openrouter or {})
    models[ID] = structs.replace(models[ID], pricing=structs.replace(models[ID].pricing, **prices))
    return structs.replace(BEFORE, openrouter=models)


def held(now: Payloads, before: Payloads = BEFORE, dropped: tuple[str, ...] = ()) -> tuple[str, ...]:
    verdict = judge(now, 1, dropped, before)
    assert verdict.failures == ()
    return verdict.held


def test_the_same_again_is_well() -> None:
    assert held(BEFORE) == ()
    assert judge(BEFORE, PAYLOAD_BYTES_MAX, (), None).held == ()


def test_a_snapshot_has_a_bound() -> None:
    assert judge(BEFORE, PAYLOAD_BYTES_MAX + 1, (), None).held == (
        "the snapshot has 67108865 bytes, more than 67108864",
    )


def test_each_gateway_needs_a_hundred_models_and_one_that_is_not_asked_none() -> None:
    few = dict(list((BEFORE.vercel or {}).items())[:99])
    assert failures_of(structs.replace(BEFORE, vercel=few)) == (
        "Suspicious: total number of vercel models is 99 < 100",
    )
    assert failures_of(structs.replace(BEFORE, vercel=None, openrouter=None)) == ()


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({"prompt": "0.00002"}, "prompt 0.000002 → 0.00002 USD"),
        ({"completion": "0.0000008"}, "completion 0.000008 → 0.0000008 USD"),
        ({"prompt": "0"}, "prompt 0.000002 → 0 USD"),
        ({"request": "0.01"}, "request 0 → 0.01 USD"),
        ({"image": "0.01"}, "image 0 → 0.01 USD"),
        ({"completion": "-1"}, "its price is gone"),
        (
            {"input_cache_read": "0.00002"},
            "input_cache_read 0.00002 USD is new, and 10 times the price of a prompt token",
        ),
        ({"input_cache_read": "0.0000002"}, ""),
        ({"prompt": "0.000019"}, ""),
        ({"web_search": "9"}, ""),
    ],
)
def test_leaps_are_held(prices: dict[str, str], reason: str) -> None:
    assert held(repriced(**prices)) == ((f"{ID}: {reason}",) if reason else ())


def test_a_cached_price_leaps_as_well() -> None:
    before = repriced(input_cache_read="0.0000002")
    assert held(repriced(input_cache_read="0.000002"), before) == (f"{ID}: input_cache_read 0.0000002 → 0.000002 USD",)
    assert held(repriced(input_cache_read=None), before) == ()


def test_a_model_that_is_gone_is_gone_but_one_that_cannot_be_read_is_not() -> None:
    models = {id_: model for id_, model in (BEFORE.openrouter or {}).items() if id_ != ID}
    gone = structs.replace(BEFORE, openrouter=models)
    assert held(gone) == ()
    assert held(gone, dropped=("who/else", ID)) == (f"{ID}: its entry cannot be read any more",)


def test_what_had_no_price_may_get_any() -> None:
    assert held(repriced(prompt="5"), repriced(prompt="-1")) == ()


def test_fewer_than_half_are_held_for_each_list() -> None:
    many = structs.replace(BEFORE, providers=structs.replace(BEFORE.providers, total_models=241))
    assert held(BEFORE, many) == ("120 models by provider, fewer than half of 241",)


def test_reasons_are_not_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "REASONS_MAX", 2)
    cheap = Pricing("0.0000001", "0.0000001")
    models = {id_: structs.replace(one, pricing=cheap) for id_, one in (BEFORE.openrouter or {}).items()}
    found = held(structs.replace(BEFORE, openrouter=models))
    assert len(found) == 3
    assert found[-1] == "and 238 more prices"


PRICES = st.integers(1, 10**6).map(lambda number: f"{Decimal(number).scaleb(-9):f}")


@given(PRICES, PRICES)
def test_a_leap_is_a_leap_both_ways(one: str, other: str) -> None:
    there = held(repriced(prompt=other), repriced(prompt=one))
    back = held(repriced(prompt=one), repriced(prompt=other))
    assert bool(there) == bool(back)
    a, b = sorted((Decimal(one), Decimal(other)))
    assert bool(there) == (b >= 10 * a)


def test_prices_are_those_of_a_chat() -> None:
    assert prices_of(Pricing("1", "-1")) is None
    assert prices_of(Pricing("1", "2", image="0.5", input_cache_write="-1")) == {
        "prompt": 1,
        "completion": 2,
        "request": 0,
        "image": Decimal("0.5"),
    }
