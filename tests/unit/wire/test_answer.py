"""What is read from non-streaming bodies (response-path 6.3)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.answer import LABEL_CHARS_MAX, Answer, first_choice, label, read_answer, read_envelope
from tollway.wire.usage import Usage


def body(message: object = None, **fields: object) -> bytes:
    value: dict[str, Any] = {"id": "g", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    return json.dumps(value | fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def test_a_whole_answer() -> None:
    text = (
        '{"id":"gen-2","model":"anthropic/claude-sonnet-4.5","provider":"Google","choices":[{"index":0,"message":'
        '{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":3}}'
    )
    assert read_answer(text.encode()) == Answer(
        "gen-2", "anthropic/claude-sonnet-4.5", "Google", "stop", Usage(20, 3), False, True, None, 2, True
    )
    assert read_answer(b"\xef\xbb\xbf" + text.encode()).message_id == "gen-2"


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b"null", b'{"a":1', b'{"a":1}x', b'{"a":' + b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_no_object_is_an_error_without_facts(raw: bytes) -> None:
    assert read_answer(raw) == Answer(has_error=True, is_json=False)


@pytest.mark.parametrize(
    ("fields", "has_error"),
    [
        ({}, False),
        ({"model": None}, True),
        ({"model": ""}, True),
        ({"model": 5}, True),
        ({"error": None}, True),
        ({"error": {"code": 500}}, True),
    ],
)
def test_an_error_is_a_missing_model_or_any_error_key(fields: dict[str, object], has_error: bool) -> None:
    answer = read_answer(body({"content": "x"}, **fields))
    assert answer.has_error is has_error
    assert answer.is_json


@pytest.mark.parametrize(
    ("message", "has_output", "text_bytes"),
    [
        ({"content": "Hé"}, True, 3),
        ({"content": ""}, False, 0),
        ({"content": None}, False, 0),
        ({"content": 5}, False, 0),
        ({}, False, 0),
        (None, False, 0),
        ("text", False, 0),
        ({"content": [{"type": "text", "text": "abc"}, "x", {"type": "image"}]}, True, 3),
        ({"content": []}, False, 0),
        ({"content": "", "reasoning": "abc", "reasoning_content": "abc"}, True, 3),
        ({"reasoning_content": "abcd"}, True, 4),
        ({"reasoning_details": [{"type": "reasoning.encrypted"}]}, True, 0),
        ({"refusal": "no"}, True, 0),
        ({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}, 7, {"function": None}]}, True, 2),
        ({"tool_calls": []}, False, 0),
        ({"function_call": {"name": "f", "arguments": "{}"}}, True, 2),
        ({"audio": {"id": "a"}}, True, 0),
        ({"images": [{"image_url": {}}]}, True, 0),
    ],
)
def test_output(message: object, has_output: bool, text_bytes: int) -> None:
    answer = read_answer(body(message))
    assert (answer.has_output, answer.text_bytes) == (has_output, text_bytes)


def test_all_choices_count_but_only_the_first_speaks() -> None:
    choices = [{"message": {"content": ""}, "finish_reason": None}, {"text": "ab", "finish_reason": "stop"}, 3]
    answer = read_answer(body(choices=choices))
    assert (answer.finish_reason, answer.has_output, answer.text_bytes) == (None, True, 2)
    assert read_answer(body(choices="x")).has_output is False


def routing(**fields: object) -> dict[str, object]:
    return {"provider_metadata": {"gateway": {"routing": fields}}}


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ({"provider": "P", "choices": [{"message": routing(finalProvider="f")}]}, "P"),
        ({"choices": [{"message": routing(finalProvider="f", resolvedProvider="r")}]}, "f"),
        ({"choices": [{"message": routing(resolvedProvider="r")}]}, "r"),
        ({"choices": [{"delta": routing(finalProvider="d")}]}, "d"),
        ({"choices": [{"message": {"provider_metadata": {"gateway": []}}}]}, None),
        ({"choices": [{}]}, None),
        ({"choices": []}, None),
    ],
)
def test_who_served_it(fields: dict[str, object], provider: str | None) -> None:
    assert read_answer(body(**fields)).inference_provider == provider


def test_labels_are_storable() -> None:
    envelope = read_envelope(json.dumps({"id": "a\0b", "model": "x" * 9_999, "provider": "\0"}).encode())
    assert envelope is not None
    assert label(envelope.id) == "ab"
    assert label(envelope.model) == "x" * LABEL_CHARS_MAX
    assert label(envelope.provider) is None
    assert first_choice(envelope) is None


def test_invalid_utf8_in_one_field_hides_no_other() -> None:
    answer = read_answer(b'{"id":"\xff","model":"m","usage":{"prompt_tokens":1,"completion_tokens":2}}')
    assert (answer.message_id, answer.model, answer.usage) == (None, "m", Usage(1, 2))


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = ("id", "model", "provider", "choices", "usage", "error", "message", "delta", "text", "finish_reason", "content")
names = st.sampled_from(
    (*NAMES, "tool_calls", "function", "arguments", "audio", "provider_metadata", "gateway", "routing")
)
trees = st.recursive(leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(names, t, max_size=5), max_leaves=20)


@given(st.dictionaries(names, trees))
def test_no_shape_raises(value: dict[str, object]) -> None:
    read_answer(json.dumps(value).encode())


@given(st.binary())
def test_no_bytes_raise(raw: bytes) -> None:
    read_answer(raw)
    read_answer(b'{"choices":[{"message":' + raw + b"}]}")
