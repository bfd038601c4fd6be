import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode

from servers.feeds import endpoint
from servers.feeds import model as fed
from tollway.catalog.entries import auto_entry, custom_llm_entry, feed_entry, hosted_entry, own_entry
from tollway.catalog.feed.shapes import FeedModel
from tollway.catalog.model import FREE, Model, Offer, Price
from tollway.catalog.preset import AutoModel, AutoTarget, HostedModel
from tollway.catalog.wellformed import is_wellformed


def listed(price: Price = FREE, **changes: Any) -> dict[str, Any]:
    return own_entry(Model("vendor/name", "Name", 1_000, 100, (Offer("p", "n", price),), **changes))


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


def test_a_fed_model_is_shown_as_it_came_without_endpoints_and_what_is_not_named() -> None:
    entry = fed("a/b", endpoints=[endpoint("x")])
    shown = feed_entry(decode(json.dumps(entry), type=FeedModel))
    assert "endpoints" not in shown
    assert "canonical_slug" not in shown
    assert shown["pricing"] == entry["pricing"]
    assert {name: shown[name] for name in ("id", "name", "description", "created", "context_length")} == {
        name: entry[name] for name in ("id", "name", "description", "created", "context_length")
    }
    assert shown["architecture"]["tokenizer"] == "Other"
    assert shown["top_provider"]["max_completion_tokens"] == 16_384


def test_what_a_hosted_model_is_inside_never_appears() -> None:
    hosted = HostedModel("v/m:free", "in-1", "gate-1", 10, 5, inference_providers=("prov-1",), system_addition="say")
    entry = hosted_entry(hosted)
    assert not any(word in json.dumps(entry) for word in ("in-1", "gate-1", "prov-1", "say"))
    assert (entry["name"], entry["description"], entry["created"]) == ("v/m:free", "v/m:free", 1_756_238_927)
    assert entry["default_parameters"] == {}
    assert entry["per_request_limits"] is None


def test_a_custom_llm_reasons_and_its_tools_are_shown() -> None:
    entry = custom_llm_entry("i/m", "Ours", 10, 5, has_vision=True, included_tools=("a",), excluded_tools=None)
    assert entry["settings"] == {"included_tools": ["a"], "excluded_tools": []}
    assert entry["supported_parameters"][-2:] == ["reasoning", "include_reasoning"]
    assert entry["architecture"]["input_modalities"] == ["text", "image"]
    assert {Decimal(one) for one in entry["pricing"].values()} == {0}


def test_an_auto_model_is_as_long_as_its_target_where_nothing_is_said() -> None:
    auto = AutoModel("k/auto", AutoTarget("v/m"))
    assert auto_entry(auto, (7, 3))["top_provider"] == {
        "context_length": 7,
        "max_completion_tokens": 3,
        "is_moderated": False,
    }
    assert auto_entry(auto, None)["context_length"] == 128_000
    assert all(is_wellformed(auto_entry(auto, one)) for one in (None, (7, 3)))
