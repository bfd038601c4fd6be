import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.feeds import card, endpoint, model, provider
from tollway.catalog.feed import reading
from tollway.catalog.feed.reading import (
    FeedError,
    is_id,
    read_cards,
    read_directory,
    read_endpoints_of,
    read_gateway_models,
    read_models,
    read_public_providers,
)


def listed(*entries: Any) -> bytes:
    return json.dumps({"data": entries}).encode()


def changed(**fields: Any) -> dict[str, Any]:
    return {**model("a/b"), **fields}


def without(name: str) -> dict[str, Any]:
    entry = model("a/b")
    del entry[name]
    return entry


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        *((without(name), "shape") for name in ("name", "description", "created", "context_length", "architecture")),
        *((without(name), "shape") for name in ("top_provider", "pricing", "id")),
        (changed(pricing={"prompt": 0.1, "completion": "1"}), "shape"),
        (changed(pricing={"prompt": "0.1"}), "shape"),
        (changed(pricing={"prompt": "-0.1", "completion": "1"}), "price"),
        (changed(pricing={"prompt": "0.1", "completion": "NaN"}), "price"),
        (changed(pricing={"prompt": "0.1", "completion": "1", "input_cache_read": "x"}), "price"),
        (changed(context_length="128000"), "shape"),
        (changed(context_length=1.5), "shape"),
        (changed(context_length=-1), "shape"),
        (changed(top_provider={"is_moderated": "no"}), "shape"),
        (changed(supported_parameters="tools"), "shape"),
        (changed(name=""), "shape"),
        (changed(id="has space"), "id"),
        (changed(id="x" * 201), "id"),
        (changed(id="é/b"), "id"),
        (model("good/one"), "duplicate"),
        ("text", "shape"),
        (None, "shape"),
    ],
)
def test_what_is_wrong_is_dropped_and_counted(entry: Any, reason: str) -> None:
    read = read_models(listed(model("good/one"), entry, model("good/two")))
    assert [one.id for one in read.entries] == ["good/one", "good/two"]
    assert read.dropped == {reason: 1}


def test_only_ids_are_told_of_what_was_dropped() -> None:
    read = read_models(listed(without("name"), changed(id="has space"), 5, without("name")))
    assert read.dropped_ids == ("a/b",)
    kept = read_models(listed(model("a/b"), without("name")))
    assert kept.dropped_ids == ()  # one of that id is there


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"data": 5}', b'{"data": [', b"\xff", b"[" * 100_000])
def test_another_answer_is_an_error(body: bytes) -> None:
    for read in (read_models, read_gateway_models, read_endpoints_of, read_cards, read_public_providers):
        with pytest.raises(FeedError):
            read(body)


def test_lists_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ENTRIES_MAX", 2)
    assert len(read_gateway_models(listed({"id": "a", "name": "A"}, {"id": "b", "name": "B"})).entries) == 2
    with pytest.raises(FeedError, match="more than 2"):
        read_gateway_models(listed(*({"id": f"a{n}", "name": "A"} for n in range(3))))


def test_nothing_is_kept_that_is_not_named() -> None:
    (one,) = read_models(listed(model("a/b", secret="x"))).entries
    assert not hasattr(one, "secret")
    assert not hasattr(one.architecture, "modality")


def test_a_gateways_models_may_have_a_type() -> None:
    read = read_gateway_models(listed({"id": "a/b", "name": "B", "type": "language"}, {"id": "c/d", "name": "D"}))
    assert [one.type for one in read.entries] == ["language", None]


def test_endpoints_that_cannot_be_read_are_nobodys() -> None:
    wrong = [
        {**endpoint("x"), "tag": 5},
        {**endpoint("x"), "pricing": {"prompt": "-3"}},
        {**endpoint("x"), "tag": "a\u0000b"},
        {**endpoint("x"), "tag": "y" * 257},
        5,
    ]
    body = json.dumps({"data": {"endpoints": [endpoint("one"), *wrong, {"name": "no tag"}]}}).encode()
    assert [one.tag for one in read_endpoints_of(body)] == ["one", None]


def test_a_provider_must_tell_its_data_policy() -> None:
    partly = {**provider("b"), "dataPolicy": {"training": False, "retainsPrompts": False}}
    unknown = {**provider("c"), "dataPolicy": None}
    read = read_directory(json.dumps([provider("a"), partly, unknown]).encode())
    assert [one.slug for one in read.entries] == ["a"]
    assert read.dropped == {"shape": 2}
    assert read_directory(b" []").entries == ()


def test_cards_may_have_no_endpoint() -> None:
    entries = [{**card("a/b"), "endpoint": None}, {"slug": "a/c", "name": "C"}, card("a/d"), {"slug": "a/e"}]
    read = read_cards(json.dumps({"data": {"models": entries}}).encode())
    assert [one.slug for one in read.entries] == ["a/b", "a/c", "a/d"]


def test_the_public_list_needs_name_and_slug() -> None:
    read = read_public_providers(listed({"name": "A", "slug": "a", "extra": 1}, {"name": "B"}))
    assert [one.slug for one in read.entries] == ["a"]


@given(st.text(max_size=8))
def test_ids_are_visible_ascii(text: str) -> None:
    assert is_id(text) == (text != "" and text.isascii() and text.isprintable() and " " not in text)


@given(st.lists(st.sampled_from([model("a/b"), model("c/d"), without("name"), {"id": 5}, None])))
def test_reading_is_the_same_whatever_lies_between(entries: list[Any]) -> None:
    read = read_models(listed(*entries))
    assert sum(read.dropped.values()) + len(read.entries) == len(entries)
    good = [one for one in entries if one in (model("a/b"), model("c/d"))]
    assert read.entries == read_models(listed(*good)).entries
