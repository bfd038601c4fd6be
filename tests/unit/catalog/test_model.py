from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tollway.catalog.model import FREE, Price, normal_id

PRICE = Price("v1", datetime(2026, 1, 1, tzinfo=UTC), Decimal("0.000001"), Decimal("0.000002"))
AMOUNTS = ("prompt_usd", "completion_usd", "cached_usd", "cache_write_usd", "request_usd", "image_usd")


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("amount", ["-0.000001", "-1", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_price_is_finite_and_not_negative(name: str, amount: str) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        _changed(PRICE, name, amount)


@pytest.mark.parametrize("name", ["prompt_usd", "completion_usd", "request_usd", "image_usd"])
def test_any_price_makes_it_paid(name: str) -> None:
    assert FREE.is_free
    assert not _changed(FREE, name, "0.000000000001").is_free


def _changed(price: Price, name: str, amount: str) -> Price:
    changes: dict[str, Any] = {name: Decimal(amount)}
    return replace(price, **changes)


@pytest.mark.parametrize(
    ("text", "expected"), [("a/b", "a/b"), (" A/b\n", "a/b"), ("\tX/Y:Free ", "x/y:free"), ("", ""), ("  ", "")]
)
def test_ids_are_compared_trimmed_and_lower_cased(text: str, expected: str) -> None:
    assert normal_id(text) == expected
    assert normal_id(expected) == expected
