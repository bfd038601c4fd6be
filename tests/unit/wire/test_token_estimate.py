import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from tollway.wire.token_estimate import tokens_asked


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({}, 0),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
        ({"max_tokens": None, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 0}, 0),
        ({"max_tokens": "5"}, 0),
    ],
)
def test_which_limit_counts(more: dict[str, object], tokens: int) -> None:
    body = encode({"x": "a" * 100, **more})
    assert tokens_asked(body) == tokens + (len(body) + 2) // 4


@pytest.mark.parametrize(("length", "tokens"), [(8, 2), (9, 2), (10, 3), (11, 3), (12, 3)])
def test_halves_are_rounded_up(length: int, tokens: int) -> None:
    assert tokens_asked(encode({"": "a" * (length - 7)})) == tokens


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_counts_in_utf_16(text: str) -> None:
    body = json.dumps({"x": text}, ensure_ascii=False)
    units = sum(2 if ord(character) > 0xFFFF else 1 for character in body)
    assert tokens_asked(body.encode()) == int(units / 4 + 0.5)


def test_what_is_no_request_counts_by_its_length() -> None:
    assert tokens_asked(b"") == 0
    assert tokens_asked(b"12345678") == 2
