import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.model import FREE, Model, Offer, Price
from tollway.catalog.page import models_page
from tollway.catalog.snapshot import build_snapshot


def listed(price: Price = FREE, **changes: Any) -> dict[str, Any]:
    model = Model("vendor/name", "Name", 1_000, 100, (Offer("p", "n", price),), **changes)
    page = json.loads(models_page(build_snapshot([model])))
    assert page["object"] == "list"
    (entry,) = page["data"]
    return dict(entry)


def price(prompt: str = "0", **amounts: Decimal) -> Price:
    return Price("v", datetime(2026, 1, 1, tzinfo=UTC), Decimal(prompt), Decimal("0.000002"), **amounts)


def test_the_fields_of_both_dialects() -> None:
    assert listed(created=5) == {
        "id": "vendor/name",
        "object": "model",
        "owned_by": "vendor",
        "name": "Name",
        "created": 5,
        "context_length": 1_000,
        "pricing": {"prompt": "0", "completion": "0", "request": "0", "image": "0"},
        "top_provider": {"context_length": 1_000, "max_completion_tokens": 100, "is_moderated": False},
    }


def test_cache_prices_are_shown_where_there_are_any() -> None:
    shown = listed(price(cached_usd=Decimal("0.0000001"), cache_write_usd=Decimal(0)))["pricing"]
    assert (shown["input_cache_read"], shown["input_cache_write"]) == ("0.0000001", "0")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0E-12", "0"),
        ("0.000000", "0"),
        ("1E-12", "0.000000000001"),
        ("1E+2", "100"),
        ("1.50", "1.5"),
        ("100", "100"),
    ],
)
def test_prices_are_plain_digits(amount: str, text: str) -> None:
    assert listed(price(amount))["pricing"]["prompt"] == text


@given(st.decimals(min_value=0, max_value=10**6, places=12))
def test_a_price_is_shown_exactly(amount: Decimal) -> None:
    text = listed(price(str(amount)))["pricing"]["prompt"]
    assert Decimal(text) == amount
    assert set(text) <= set("0123456789.")


def test_an_empty_catalog_is_an_empty_list() -> None:
    assert json.loads(models_page(build_snapshot([]))) == {"object": "list", "data": []}
