"""Money: one rounding rule, no floats, no overflow (guarantees M9)."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollway.money import MICRODOLLARS_MAX, MoneyOverflowError, checked, format_usd, parse_usd, round_usd

amounts = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False)
tiny = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(-exponent), st.integers(-(10**9), 10**9), st.integers(0, 60)
)


@settings(max_examples=1000)
@given(amounts | tiny)
def test_rounding_is_floor_of_the_exact_amount_and_a_half(amount: Decimal) -> None:
    assert round_usd(amount) == floor(Fraction(amount) * 1_000_000 + Fraction(1, 2))


@given(amounts, amounts)
def test_rounding_keeps_the_order(one: Decimal, other: Decimal) -> None:
    assert round_usd(min(one, other)) <= round_usd(max(one, other))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        round_usd(Decimal(text))


def test_64_bits_and_not_one_more() -> None:
    assert checked(MICRODOLLARS_MAX) == MICRODOLLARS_MAX
    assert checked(-MICRODOLLARS_MAX) == -MICRODOLLARS_MAX
    assert round_usd(Decimal(MICRODOLLARS_MAX).scaleb(-6)) == MICRODOLLARS_MAX
    for beyond in (MICRODOLLARS_MAX + 1, -MICRODOLLARS_MAX - 1):
        with pytest.raises(MoneyOverflowError):
            checked(beyond)
        with pytest.raises(MoneyOverflowError):
            round_usd(Decimal(beyond).scaleb(-6))
    with pytest.raises(MoneyOverflowError):
        round_usd(Decimal("1e999999"))


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.000000"), (1_234_567, "$1.234567"), (-1, "-$0.000001"), (10**15, "$1,000,000,000.000000")],
)
def test_every_digit_is_shown(amount: int, text: str) -> None:
    assert format_usd(amount) == text


@pytest.mark.parametrize(
    ("text", "amount"), [("12.50", 12_500_000), (" $0.000001 ", 1), ("1_000", 10**9), ("-3", -3_000_000), ("1e-6", 1)]
)
def test_amounts_as_people_write_them(text: str, amount: int) -> None:
    assert parse_usd(text) == amount


@pytest.mark.parametrize("text", ["", "x", "$", "0.0000001", "NaN", "1,5"])
def test_what_is_no_whole_number_of_micro_dollars_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_usd(text)


@given(st.integers(0, MICRODOLLARS_MAX))
def test_what_is_shown_can_be_read_again(amount: int) -> None:
    assert parse_usd(format_usd(amount).replace(",", "")) == amount
