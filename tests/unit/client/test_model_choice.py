"""`provider/model`, near ids and the picker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.client_model import ClientModel
from tollway.client.errors import ClientError
from tollway.client.model_choice import (
    ModelReference,
    choice_lines,
    choices_of,
    chosen,
    matching,
    near_ids,
    read_default,
    read_reference,
    unknown_model,
)
from tollway.client.model_lists import Listed, State
from unit.client.fakes import gateways

KNOWN = ["anthropic/claude-haiku-4.5", "anthropic/claude-sonnet-4.5", "openai/gpt-5", "openai/gpt-5-mini"]


def listed(provider: str, *ids: str, **tree: object) -> Listed:
    gateway = gateways(tree or None)[provider]
    return Listed(gateway, State.LIVE, {one: ClientModel(id=one, name=one.upper()) for one in ids})


def test_a_reference_is_split_at_the_first_slash() -> None:
    assert read_reference(" p/a/b ") == ModelReference("p", "a/b")
    assert str(read_reference("p/a/b")) == "p/a/b"


@pytest.mark.parametrize("text", ["", "p", "p/", "/m", "/"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ClientError):
        read_reference(text)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("anthropic/claude-haiku-4-5", "anthropic/claude-haiku-4.5"),
        ("OPENAI/GPT-5", "openai/gpt-5"),
        ("gpt-5-mini", "openai/gpt-5-mini"),
    ],
)
def test_the_likeliest_comes_first(wanted: str, expected: str) -> None:
    assert near_ids(wanted, KNOWN)[0] == expected


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=12), max_size=12))
def test_near_ids_are_few_and_known(wanted: str, known: list[str]) -> None:
    found = near_ids(wanted, known)
    assert len(found) == len(set(found)) <= 3
    assert set(found) <= set(known)


def test_what_is_said_of_an_unknown_model() -> None:
    wanted = ModelReference("p", "openai/gpt5")
    assert str(unknown_model(wanted, KNOWN)).startswith("Model not found: p/openai/gpt5. Did you mean p/openai/gpt-5")
    assert str(unknown_model(wanted, [])) == "Model not found: p/openai/gpt5. See: tollway models p"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"defaultModel":"a/b","defaultFreeModel":"c"}', "a/b"),
        (404, b'{"defaultModel":"a/b"}', ""),
        (200, b"{}", ""),
        (200, b'{"defaultModel":7}', ""),
        (200, b'{"defaultModel":"a\\u001b/b"}', ""),
        (200, b"<html>", ""),
    ],
)
def test_a_proposed_model(status: int, body: bytes, expected: str) -> None:
    assert read_default(status, body) == expected


def test_popular_gateways_come_first() -> None:
    choices = choices_of([listed("openrouter", "b", "a"), listed("mistral", "c")])
    lines = list(choice_lines(choices, 80))
    assert [line.split()[0] for line in lines] == ["Popular", "1", "2", "Other", "3"]
    assert [str(one.reference) for one in choices] == ["openrouter/a", "openrouter/b", "mistral/c"]


def test_where_there_is_no_room_only_names_are_shown() -> None:
    choices = choices_of([listed("openrouter", "vendor/a-name")])
    assert list(choice_lines(choices, 80))[1].split()[1:] == ["openrouter/vendor/a-name", "128k", "-", "/", "-"]
    assert list(choice_lines(choices, 40))[1:] == ["   1  openrouter/vendor/a-name"]


def test_a_long_list_is_cut_and_says_so() -> None:
    choices = choices_of([listed("openrouter", *("m" * number for number in range(1, 51)))])
    lines = list(choice_lines(choices, 80))
    assert len(lines) == 22
    assert "30 more" in lines[-1]
    assert chosen(choices, "21") is None, "only what is shown has a number"


def test_every_word_of_a_search_counts() -> None:
    choices = choices_of([listed("openrouter", *KNOWN)])
    assert [one.model.id for one in matching(choices, "Claude haiku")] == KNOWN[:1]
    assert len(matching(choices, "")) == len(KNOWN)


def test_what_is_typed_stands_for_one() -> None:
    choices = choices_of([listed("openrouter", *KNOWN)])
    assert [chosen(choices, text) for text in ("0", "99", "", "gpt", "nothing")] == [None] * 5
    for text in ("3", "openrouter/openai/gpt-5", " 3 "):
        found = chosen(choices, text)
        assert found, text
        assert found.model.id == "openai/gpt-5"
    only = chosen(choices, "haiku")
    assert only
    assert only.model.id == KNOWN[0]
