import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from tollway.catalog.client_model import ClientModel, Cost, Limit
from tollway.client.listing_text import json_text, plain_lines, price_text, shown_lines, tokens_text
from tollway.client.model_lists import Listed, State
from unit.client.fakes import gateways

KNOWN = gateways({}, {"TOLLWAY_API_URL": "https://t.example"})


def listed(gateway: str, *ids: str) -> Listed:
    cost = Cost(input=Decimal("0.25"), output=Decimal(15))
    models = {one: ClientModel(id=one, name=one, cost=cost, limit=Limit(128_000, 5), tool_call=True) for one in ids}
    return Listed(KNOWN[gateway], State.LIVE, models)


ALL = [listed("tollway", "z/z"), listed("openai", "gpt"), listed("fastrouter", "c/d", "a/b"), listed("apertis", "x")]


def test_one_line_each_our_own_first_then_by_the_alphabet() -> None:
    assert list(plain_lines(ALL)) == ["tollway/z/z", "apertis/x", "fastrouter/a/b", "fastrouter/c/d", "openai/gpt"]
    verbose = list(plain_lines([listed("apertis", "x")], verbose=True))
    assert verbose[0] == "apertis/x"
    assert json.loads(verbose[1])["id"] == "x"


def test_json_has_the_same_order() -> None:
    found = json.loads(json_text(ALL))
    assert [one["model"] for one in found] == list(plain_lines(ALL))
    assert list(found[0])[:3] == ["provider", "model", "id"]
    assert found[0]["cost"] == {"input": 0.25, "output": 15}
    assert json_text([]) == "[]"


def test_on_a_terminal_what_is_popular_comes_first() -> None:
    assert list(shown_lines(ALL, 80)) == [
        "model           context  $/M in / out  abilities",
        "Popular",
        "tollway/z/z        128k   $0.25 / $15  tools",
        "openai/gpt         128k             -  tools",
        "fastrouter/a/b     128k   $0.25 / $15  tools",
        "fastrouter/c/d     128k   $0.25 / $15  tools",
        "Other",
        "apertis/x          128k             -  tools",
    ]
    assert list(shown_lines(ALL[2:3], 80))[1].startswith("fastrouter/a/b"), "of one that was named there is no heading"
    assert list(shown_lines([], 80)) == list(shown_lines([Listed(KNOWN["openai"], State.EMPTY)], 80)) == []


def test_a_name_that_leaves_no_room_has_a_line_of_its_own() -> None:
    """What stands below each other stays below each other, and nothing is cut: names are copied."""
    lines = list(shown_lines([listed("fastrouter", "a/b", "vendor/a-long-name")], 48))
    assert lines == [
        "model           context  $/M in / out  abilities",
        "fastrouter/a/b     128k   $0.25 / $15  tools",
        "fastrouter/vendor/a-long-name",
        "                   128k   $0.25 / $15  tools",
    ]


def test_where_nothing_fits_nothing_is_aligned() -> None:
    assert list(shown_lines([listed("fastrouter", "a/b")], 34)) == [
        "model",
        "  context  $/M in / out  abilities",
        "fastrouter/a/b",
        "  128k  $0.25 / $15  tools",
    ]


@given(st.lists(st.text("abc/", min_size=1, max_size=60), max_size=5), st.integers(0, 200))
def test_no_line_is_wider_than_the_terminal_but_for_names(ids: list[str], columns: int) -> None:
    for line in shown_lines([listed("fastrouter", *ids)], columns):
        assert len(line) <= max(columns, 34) or line.removeprefix("fastrouter/") in ids


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "-"),
        (4096, "4096"),
        (9_999, "9999"),
        (10_000, "10k"),
        (131_072, "131.1k"),
        (1_000_000, "1M"),
        (1_048_576, "1M"),
    ],
)
def test_tokens(tokens: int, text: str) -> None:
    assert tokens_text(tokens) == text


@pytest.mark.parametrize(("price", "text"), [(Decimal("0.075"), "$0.075"), (Decimal(0), "$0"), (UNSET, "-")])
def test_prices(price: Decimal | UnsetType, text: str) -> None:
    assert price_text(price) == text
