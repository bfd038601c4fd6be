from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.feed.figures import usd, usd_if_given


@pytest.mark.parametrize("text", ["-1", "-1.0", "-1.00"])
def test_a_price_that_varies_is_none(text: str) -> None:
    assert usd(text) is None


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "-0.5", "-2", "NaN", "Infinity", "inf", "1e999", "1,5", ".5", "0x1", "1e-99", "1000001", "\u0661"],
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is "):
        usd(text)


def test_what_is_not_said_is_none() -> None:
    assert usd_if_given(None) is None
    assert usd_if_given("0.5") == Decimal("0.5")


@given(st.decimals(min_value=0, max_value=1_000, places=12))
def test_a_price_is_read_exactly(price: Decimal) -> None:
    assert usd(format(price, "f")) == price
    assert usd(f"{price:.20e}".replace("e+", "e")) == price
