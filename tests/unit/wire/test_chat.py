import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.chat import (
    CHOICES_MAX,
    COMPLETION_TOKENS_MAX,
    MESSAGES_MAX,
    METADATA_MAX,
    MODEL_ID_CHARS_MAX,
    STOPS_MAX,
    TOOLS_MAX,
    ChatRequest,
    ModelMissingError,
    parse_chat,
    with_usage,
)
from tollway.wire.json_body import BodyError


def parse(**fields: object) -> ChatRequest:
    return parse_chat(json.dumps({"model": "a/b", **fields}).encode())


def is_refused(**fields: object) -> bool:
    try:
        parse(**fields)
    except BodyError:
        return True
    return False


def test_what_is_read() -> None:
    body = json.dumps({"model": " A/b ", "stream": True, "n": 2, "max_tokens": 9, "messages": [{}, {}]}).encode()
    request = parse_chat(body)
    assert (request.model, request.stream, request.choices, request.messages) == ("A/b", True, 2, 2)
    assert (request.completion_tokens_max, request.body_bytes) == (9, len(body))
    assert request.body["model"] == " A/b "


def test_what_may_be_missing() -> None:
    request = parse()
    assert (request.stream, request.choices, request.messages, request.completion_tokens_max) == (False, 1, 0, None)


@pytest.mark.parametrize("model", ["", " ", "\t\n", None, 1, True, [], {}, ["a/b"]])
def test_no_model(model: object) -> None:
    with pytest.raises(ModelMissingError):
        parse(model=model)
    with pytest.raises(ModelMissingError):
        parse_chat(b"{}")


def test_the_length_of_a_model_id() -> None:
    assert not is_refused(model="x" * (MODEL_ID_CHARS_MAX - 1))
    assert not is_refused(model="x" * MODEL_ID_CHARS_MAX)
    assert is_refused(model="x" * (MODEL_ID_CHARS_MAX + 1))


@pytest.mark.parametrize(
    ("name", "element", "most"), [("messages", {}, MESSAGES_MAX), ("tools", {}, TOOLS_MAX), ("stop", "x", STOPS_MAX)]
)
def test_lists_are_bounded(name: str, element: object, most: int) -> None:
    assert not is_refused(**{name: []})
    assert not is_refused(**{name: [element] * most})
    assert is_refused(**{name: [element] * (most + 1)})


@pytest.mark.parametrize("messages", ["hi", 1, {}, True, [1], ["hi"], [{}, None], [[]]])
def test_messages_are_objects(messages: object) -> None:
    assert is_refused(messages=messages)


@pytest.mark.parametrize("tools", ["x", 1, {}, True])
def test_tools_are_a_list(tools: object) -> None:
    assert is_refused(tools=tools)


@pytest.mark.parametrize("name", ["messages", "tools", "stop", "metadata", "stream", "n", "max_tokens"])
def test_null_is_like_missing(name: str) -> None:
    assert not is_refused(**{name: None})


def test_one_stop_may_be_a_text() -> None:
    assert not is_refused(stop="x")


@pytest.mark.parametrize(
    ("metadata", "refused"),
    [
        ({}, False),
        ({str(number): "" for number in range(METADATA_MAX)}, False),
        ({str(number): "" for number in range(METADATA_MAX + 1)}, True),
        ({"x" * 64: "y" * 512}, False),
        ({"x" * 65: "y"}, True),
        ({"x": "y" * 513}, True),
        ({"x": 1}, False),
        ({"x": {"y": "z"}}, True),
        ({"x": ["y"]}, True),
        ("x", True),
        ([], True),
    ],
    ids=lambda value: str(value)[:20],
)
def test_metadata(metadata: object, refused: bool) -> None:
    assert is_refused(metadata=metadata) is refused


@pytest.mark.parametrize(
    ("n", "refused"), [(1, False), (CHOICES_MAX, False), (8.0, False), (0, True), (9, True), (-1, True)]
)
def test_choices(n: object, refused: bool) -> None:
    assert is_refused(n=n) is refused


@pytest.mark.parametrize("name", ["n", "max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [True, False, "1", 1.5, [1], {}, -1, -1e300])
def test_integers_are_integers(name: str, value: object) -> None:
    assert is_refused(**{name: value})


@pytest.mark.parametrize("stream", [1, 0, "true", [], {}])
def test_stream_is_true_or_false(stream: object) -> None:
    assert is_refused(stream=stream)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_completion_tokens(name: str) -> None:
    assert parse(**{name: 0}).completion_tokens_max == 0
    assert parse(**{name: 7.0}).completion_tokens_max == 7
    assert parse(**{name: COMPLETION_TOKENS_MAX}).completion_tokens_max == COMPLETION_TOKENS_MAX
    # Beyond the cap is for a later stage to refuse: who asks is looked at first.
    assert parse(**{name: COMPLETION_TOKENS_MAX + 1}).completion_tokens_max == COMPLETION_TOKENS_MAX + 1


@pytest.mark.parametrize(("first", "second"), [(1, 100), (100, 1)])
def test_the_larger_limit_counts(first: int, second: int) -> None:
    assert parse(max_tokens=first, max_completion_tokens=second).completion_tokens_max == 100


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["model", "messages", "tools", "stop", "metadata", "stream", "n", "max_tokens", "max_completion_tokens", "x"]


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_any_object_is_read_or_refused_as_documented(fields: dict[str, Any]) -> None:
    try:
        request = parse_chat(json.dumps(fields).encode())
    except (BodyError, ModelMissingError):
        return
    assert request.model == request.model.strip() != ""
    assert 1 <= request.choices <= CHOICES_MAX
    assert request.body == fields


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_as_documented(body: bytes) -> None:
    with pytest.raises((BodyError, ModelMissingError)):
        parse_chat(body)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": "y"}, {"include_usage": True}),
        ({"stream_options": [1]}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False, "x": 1}}, {"include_usage": True, "x": 1}),
    ],
)
def test_usage_is_always_asked_for(options: dict[str, object], expected: dict[str, object]) -> None:
    body = {"model": "a/b", "models": ["c/d"], "temperature": 1, **options}
    before = json.dumps(body)
    assert with_usage(body) == {"model": "a/b", "temperature": 1, "stream_options": expected}
    assert json.dumps(body) == before
