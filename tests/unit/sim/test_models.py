"""The script table: exact prices, and a list in OpenRouter's shape."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.models import MODELS, Tally, encode_models, find_model, list_price, price_text

COUNTS = st.integers(0, 10_000_000)


def test_an_unknown_model_is_the_story_under_its_own_id() -> None:
    model = find_model("acme/llm-9")
    assert (model.id, model.script, model.prompt_usd) == ("acme/llm-9", "story", MODELS["sim/story"].prompt_usd)
    assert find_model("sim/echo") is MODELS["sim/echo"]


def test_the_list_has_every_model_and_its_price_as_text() -> None:
    listed = {entry["id"]: entry for entry in json.loads(encode_models())["data"]}
    assert listed.keys() == MODELS.keys()
    for model_id, entry in listed.items():
        assert entry["pricing"]["prompt"] == MODELS[model_id].prompt_usd
        assert entry["pricing"]["input_cache_read"] == MODELS[model_id].cache_read_usd
        assert entry["architecture"]["output_modalities"] == ["text"]
        assert entry["top_provider"]["is_moderated"] is False
        assert entry["max_completion_tokens"] == entry["top_provider"]["max_completion_tokens"]


def test_a_price_is_prompt_plus_cached_plus_completion() -> None:
    model = MODELS["sim/cached"]
    assert list_price(model, Tally(100, 40, 10, 3)) == Decimal("0.000332")
    assert list_price(MODELS["sim/free:free"], Tally(100, 40, 10)) == 0


@given(COUNTS, COUNTS, COUNTS)
def test_cost_never_falls_as_tokens_grow(prompt: int, cached: int, completion: int) -> None:
    model = MODELS["sim/cached"]
    price = list_price(model, Tally(prompt, cached, completion))
    assert list_price(model, Tally(prompt + 1, cached, completion)) >= price
    assert list_price(model, Tally(prompt, cached, completion + 1)) > price


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=12))
def test_price_text_is_exact_and_has_no_exponent(price: Decimal) -> None:
    text = price_text(price)
    assert Decimal(text) == price
    assert "E" not in text
    assert text == "0" or not ("." in text and text.endswith(("0", ".")))
