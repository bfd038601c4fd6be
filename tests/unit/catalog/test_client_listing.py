import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tollway.catalog.client_listing import (
    BODY_BYTES_MAX,
    ENTRIES_MAX,
    OPENROUTER_LIST,
    PLAIN_LIST,
    TOLLWAY_LIST,
    Listing,
    is_safe_id,
    read_entry,
    read_listing,
    safe_text,
)
from tollway.catalog.client_model import ClientModel, as_json
from tollway.providers.apertis import PROVIDER as APERTIS

assert APERTIS.client
LISTINGS = [OPENROUTER_LIST, TOLLWAY_LIST, PLAIN_LIST, APERTIS.client.listing]
FIELDS = [
    "id",
    "name",
    "created",
    "context_length",
    "max_completion_tokens",
    "supported_parameters",
    "pricing",
    "architecture",
    "top_provider",
    "opencode",
    "owned_by",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["prompt", "completion", "input_modalities", "context_length"]), inner)
    ),
    max_leaves=8,
)
entries = st.dictionaries(st.sampled_from(FIELDS), json_values) | json_values


def read(listing: Listing, *listed: object) -> dict[str, ClientModel]:
    found = read_listing(json.dumps({"data": listed}).encode(), listing)
    assert found is not None
    return found


@given(st.lists(entries, max_size=5), st.sampled_from(LISTINGS))
def test_nothing_a_gateway_sends_raises_or_harms(listed: list[Any], listing: Listing) -> None:
    """Whatever is kept can be printed, typed and reckoned with, and has the form that it is kept in."""
    for model in read(listing, *listed).values():
        as_json(model)
        assert is_safe_id(model.id)
        assert model.name == safe_text(model.name) != ""
        assert model.limit.context >= 0
        assert model.limit.output >= 0
        for price in (model.cost.input, model.cost.output, model.cost.cache_read, model.cost.cache_write):
            assert price is UNSET or (price.is_finite() and price >= 0)


@given(st.lists(entries, max_size=4), st.sampled_from(LISTINGS))
def test_a_bad_entry_takes_nothing_from_the_others(bad: list[Any], listing: Listing) -> None:
    good = {"id": "good/model", "context_length": 1000}
    assert read(listing, *bad, good)["good/model"] == read(listing, good)["good/model"]


@given(st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False, places=15))
def test_prices_are_exact(per_token: Decimal) -> None:
    """As text of any spelling; the same sum in fractions of integers."""
    for spelled in (f"{per_token:f}", f"{per_token:e}".replace("e", "E")):
        (model,) = read(OPENROUTER_LIST, {"id": "a", "pricing": {"prompt": spelled}}).values()
        if spelled == f"{per_token:f}" or len(spelled) < 40:
            assert model.cost.input == per_token * 1_000_000


def test_a_tollway_lists_what_it_can_do() -> None:
    entry = {"context_length": 1001, "pricing": {"prompt": "-1"}, "opencode": {"family": "claude"}}
    (model,) = read(TOLLWAY_LIST, {"id": "v/m", **entry}).values()
    assert (model.tool_call, model.family, model.limit.output) == (True, "claude", 201)
    assert (model.cost.input, model.cost.output) == (UNSET, UNSET)
    best = {"top_provider": {"max_completion_tokens": 7}, "max_completion_tokens": 9}
    assert read(TOLLWAY_LIST, {"id": "v/m", "context_length": 5, **best})["v/m"].limit.output == 7
    assert read(OPENROUTER_LIST, {"id": "v/m", **best})["v/m"].limit.output == 9


@pytest.mark.parametrize(
    ("entry", "is_there"),
    [
        ({}, False),
        ({"context_length": 5}, True),
        ({"context_length": 5, "supported_parameters": []}, True),
        ({"context_length": 5, "supported_parameters": ["temperature"]}, False),
        ({"context_length": 5, "supported_parameters": ["temperature", "tools"]}, True),
    ],
)
def test_a_tollway_s_models_have_a_context_and_tools(entry: dict[str, Any], is_there: bool) -> None:
    assert bool(read(TOLLWAY_LIST, {"id": "v/m", **entry})) is is_there


def test_a_plain_list_says_next_to_nothing() -> None:
    (model,) = read(PLAIN_LIST, {"id": "gpt", "owned_by": "o", "created": 1731000000}).values()
    assert (model.limit.context, model.limit.output, model.tool_call, model.temperature) == (0, 0, True, True)
    assert (model.family, model.release_date, model.attachment, model.reasoning) == ("", "", False, False)


@pytest.mark.parametrize(
    ("value", "is_safe"),
    [("a/b", True), ("x" * 200, True), ("x" * 201, False), ("a\nb", False), ("a\u202eb", False), ("", False)],
)
def test_which_ids_are_safe(value: str, is_safe: bool) -> None:
    assert is_safe_id(value) is is_safe
    assert bool(read_entry({"id": value})) is is_safe


def test_bounds_of_an_answer() -> None:
    most = [{"id": str(number)} for number in range(ENTRIES_MAX + 1)]
    assert len(read(OPENROUTER_LIST, *most[:-1])) == ENTRIES_MAX
    assert read_listing(json.dumps({"data": most}).encode(), OPENROUTER_LIST) is None
    assert read_listing(b'{"data":[]}' + b" " * BODY_BYTES_MAX, OPENROUTER_LIST) is None
    assert read_listing(b"[" * 100_000, OPENROUTER_LIST) is None


@pytest.mark.parametrize("created", ["1e999999999", "-5", "true", '"1731000000"', "9e15", "[]"])
def test_dates_that_are_none(created: str) -> None:
    found = read_listing(b'{"data":[{"id":"a","created":' + created.encode() + b"}]}", OPENROUTER_LIST)
    assert found is not None
    assert found["a"].release_date == ""
