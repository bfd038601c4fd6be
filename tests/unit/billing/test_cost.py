"""Cost arithmetic against exact fractions (guarantees M9)."""

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.billing.cost import contradictions, is_plausible, list_cost, reported_cost, worst_case
from tollway.catalog.model import FREE, Price
from tollway.money import MoneyOverflowError
from tollway.wire.usage import NO_USAGE, Usage

GPT = Price(
    "gpt-5-mini/2025-08-07",
    datetime(2025, 8, 7, tzinfo=UTC),
    prompt_usd=Decimal("0.00000025"),
    completion_usd=Decimal("0.000002"),
    cached_usd=Decimal("0.000000025"),
)

per_token = st.decimals(0, 1, places=12)
prices = st.builds(
    Price,
    version=st.just("v"),
    effective_from=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    prompt_usd=per_token,
    completion_usd=per_token,
    cached_usd=st.none() | per_token,
    cache_write_usd=st.none() | per_token,
    request_usd=per_token,
    image_usd=per_token,
)
tokens = st.integers(0, 10**7)


@st.composite
def usages(draw: st.DrawFn, prompt_max: int = 10**7, completion_max: int = 10**7) -> Usage:
    prompt = draw(st.integers(0, prompt_max))
    cached = draw(st.integers(0, prompt))
    return Usage(prompt, draw(st.integers(0, completion_max)), cached, draw(st.integers(0, prompt - cached)))


def exact(usage: Usage, price: Price, images: int) -> Fraction:
    """The same in fractions, in micro-dollars."""
    prompt = Fraction(price.prompt_usd)
    cached = prompt if price.cached_usd is None else Fraction(price.cached_usd)
    written = prompt if price.cache_write_usd is None else Fraction(price.cache_write_usd)
    return 1_000_000 * (
        (usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens) * prompt
        + usage.cached_tokens * cached
        + usage.cache_write_tokens * written
        + usage.completion_tokens * Fraction(price.completion_usd)
        + Fraction(price.request_usd)
        + images * Fraction(price.image_usd)
    )


def test_by_hand() -> None:
    # 6 × 0.25 + 4 × 0.025 + 3 × 2 µ$ = 7.6
    assert list_cost(Usage(10, 3, cached_tokens=4), GPT) == 8
    # 4 written tokens cost what others do when they have no price of their own
    assert list_cost(Usage(10, 3, cache_write_tokens=4), GPT) == 9  # 2.5 + 6 = 8.5, half up
    assert (
        list_cost(Usage(10, 3, cache_write_tokens=4), dataclasses.replace(GPT, cache_write_usd=Decimal("0.000001")))
        == 12
    )
    assert (
        list_cost(NO_USAGE, dataclasses.replace(GPT, request_usd=Decimal("0.01"), image_usd=Decimal("0.001")), images=2)
        == 12_000
    )
    assert list_cost(Usage(10, 3), FREE) == 0


def test_no_digit_is_lost_before_the_rounding() -> None:
    price = dataclasses.replace(GPT, prompt_usd=Decimal("0.00000049999999999999999999999999999999999999"))
    assert list_cost(Usage(1, 0), price) == 0
    assert (
        worst_case(1, 0, dataclasses.replace(GPT, prompt_usd=Decimal("0.0000010000000000000000000000000000000001")))
        == 2
    )


def test_details_beyond_the_prompt_never_turn_into_a_discount() -> None:
    assert list_cost(Usage(1, 0, cached_tokens=8), GPT) == list_cost(Usage(8, 0, cached_tokens=8), GPT)


@settings(max_examples=500)
@given(usages(), prices, st.integers(0, 100))
def test_one_rounding_half_up_of_the_exact_amount(usage: Usage, price: Price, images: int) -> None:
    assert list_cost(usage, price, images) == floor(exact(usage, price, images) + Fraction(1, 2))


@given(usages(), prices, tokens, tokens)
def test_cost_never_falls_as_tokens_grow(usage: Usage, price: Price, prompt: int, completion: int) -> None:
    more = replace(
        usage, prompt_tokens=usage.prompt_tokens + prompt, completion_tokens=usage.completion_tokens + completion
    )
    assert list_cost(usage, price) <= list_cost(more, price)


@settings(max_examples=500)
@given(st.data(), prices, tokens, tokens, st.integers(1, 8), st.integers(0, 9))
def test_no_usage_within_the_bounds_costs_more_than_the_worst_case(
    data: st.DataObject, price: Price, prompt: int, completion: int, choices: int, images: int
) -> None:
    usage = data.draw(usages(prompt, completion * choices))
    assert list_cost(usage, price, images) <= worst_case(prompt, completion, price, choices, images)


@given(prices, tokens, tokens, st.integers(1, 8), st.integers(0, 9), tokens)
def test_the_worst_case_never_falls(
    price: Price, prompt: int, completion: int, choices: int, images: int, more: int
) -> None:
    least = worst_case(prompt, completion, price, choices, images)
    assert least <= worst_case(prompt + more, completion, price, choices, images)
    assert least <= worst_case(prompt, completion + more, price, choices, images)
    assert least <= worst_case(prompt, completion, price, choices + 1, images)
    assert least <= worst_case(prompt, completion, price, choices, images + 1)


@given(prices, tokens, tokens)
def test_the_worst_case_is_rounded_up(price: Price, prompt: int, completion: int) -> None:
    plain = dataclasses.replace(price, cached_usd=None, cache_write_usd=None)
    assert worst_case(prompt, completion, plain) == ceil(exact(Usage(prompt, completion), plain, 0))


def test_the_worst_case_counts_the_dearest_prompt_price_and_every_choice() -> None:
    price = dataclasses.replace(GPT, cache_write_usd=Decimal("0.0000003125"))
    assert worst_case(1000, 10, price, choices=4) == 313 + 4 * 20
    assert worst_case(10**6, 10**6, FREE) == 0


@pytest.mark.parametrize("count", [10**20, 10**40])
def test_an_amount_beyond_64_bits_is_refused(count: int) -> None:
    with pytest.raises(MoneyOverflowError):
        worst_case(count, 0, dataclasses.replace(GPT, prompt_usd=Decimal(1)))
    with pytest.raises(MoneyOverflowError):
        list_cost(Usage(count, 0), dataclasses.replace(GPT, prompt_usd=Decimal(1)))


def test_the_reported_cost_is_that_of_whoever_was_billed() -> None:
    usage = Usage(1, 1, cost_usd=Decimal("0.001"), upstream_cost_usd=Decimal("0.02"))
    assert reported_cost(usage) == 1_000
    assert reported_cost(replace(usage, is_byok=False)) == 1_000
    assert reported_cost(replace(usage, is_byok=True)) == 20_000
    assert reported_cost(replace(usage, is_byok=True, upstream_cost_usd=None)) is None
    assert reported_cost(replace(usage, cost_usd=Decimal(0))) == 0
    assert reported_cost(NO_USAGE) is None


def test_plausible_is_up_to_ten_times_the_worst_case() -> None:
    assert is_plausible(100, 10)
    assert not is_plausible(101, 10)
    assert is_plausible(0, 0)


def test_contradictions_allow_for_the_fee_on_own_keys() -> None:
    usage = Usage(1, 1, cost_usd=Decimal("0.001"), upstream_cost_usd=Decimal("0.0200011"), is_byok=True)
    assert contradictions(usage) == ()
    assert contradictions(replace(usage, upstream_cost_usd=Decimal("0.0200012"))) != ()
    assert contradictions(replace(usage, upstream_cost_usd=None)) != ()
    assert contradictions(replace(usage, is_byok=None, cost_usd=None)) == ("no is_byok but a cost",)
    assert contradictions(replace(usage, is_byok=False)) == ()
    assert contradictions(NO_USAGE) == ()
