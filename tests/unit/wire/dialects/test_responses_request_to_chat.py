"""Requests of the Responses API as chat requests."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.refusal import Refusal
from tollway.wire.dialects.responses_request_to_chat import ResponsesRequest, responses_request_to_chat

USER = {"role": "user", "content": "Hi"}


def chat(**body: Any) -> dict[str, Any]:
    """The chat request without its model and its one message."""
    read = responses_request_to_chat({"model": "m", "input": "Hi", **body})
    assert isinstance(read, ResponsesRequest)
    assert (read.chat.pop("model"), read.chat.pop("messages")) == ("m", [USER])
    return read.chat


def test_text_and_instructions() -> None:
    read = responses_request_to_chat({"model": "m", "input": "Hi", "instructions": "S"})
    assert isinstance(read, ResponsesRequest)
    assert read.chat == {"model": "m", "messages": [{"role": "system", "content": "S"}, USER]}
    assert read.echo == {"instructions": "S"}


@pytest.mark.parametrize(
    ("asked", "becomes"),
    [
        ({"stream": True, "temperature": 0, "top_p": 0.5}, {"stream": True, "temperature": 0, "top_p": 0.5}),
        ({"stream": None, "user": None, "tools": None, "text": None}, {}),
        ({"max_output_tokens": 9}, {"max_completion_tokens": 9}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning": {"effort": "high"}}),
        ({"reasoning": {"summary": "auto"}}, {}),
        ({"store": True, "include": ["reasoning.encrypted_content"], "truncation": "auto", "metadata": {"a": "b"}}, {}),
        ({"previous_response_id": None, "background": False, "conversation": None}, {}),
        ({"text": {"verbosity": "low", "format": {"type": "text"}}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}},
        ),
        (
            {"tools": [{"type": "function", "name": "ls", "parameters": {}, "strict": None, "description": "d"}]},
            {"tools": [{"type": "function", "function": {"name": "ls", "description": "d", "parameters": {}}}]},
        ),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "function", "name": "ls"}},
            {"tool_choice": {"type": "function", "function": {"name": "ls"}}},
        ),
        (
            {"parallel_tool_calls": False, "service_tier": "flex"},
            {"parallel_tool_calls": False, "service_tier": "flex"},
        ),
    ],
)
def test_fields(asked: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert chat(**asked) == becomes


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id: Responses are not stored here"),
        ({"conversation": {"id": "c"}}, "conversation: Responses are not stored here"),
        ({"prompt": {"id": "p"}}, "prompt: Prompt templates are not stored here"),
        ({"background": True}, "background: Responses cannot run in the background here."),
        ({"input": None}, "input: must be text or a list of items."),
        ({"input": {}}, "input: must be text or a list of items."),
        ({"input": [{"type": "x"}]}, "input[0]: Items of type `x` are not supported."),
        ({"instructions": ["S"]}, "instructions: must be a text."),
        ({"text": "x"}, "text: must be an object."),
        ({"text": {"format": {"type": "grammar"}}}, "text.format: Formats of type `grammar` are not supported."),
        ({"tools": {}}, "tools: must be a list."),
        ({"tools": [{"type": "web_search"}]}, "tools[0]: Only function tools can be used here"),
        ({"tools": ["x"]}, "tools[0]: Only function tools can be used here"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice: must be auto, none, required or a function."),
        ({"tool_choice": "odd"}, "tool_choice: must be auto, none, required or a function."),
        ({"tool_choice": ["auto"]}, "tool_choice: must be auto, none, required or a function."),
    ],
)
def test_refusals(asked: dict[str, Any], message: str) -> None:
    refused = responses_request_to_chat({"model": "m", "input": "Hi", **asked})
    assert isinstance(refused, Refusal)
    assert refused.status == 400
    assert refused.message.startswith(message)


def test_what_the_answer_repeats() -> None:
    body = {"input": "Hi", "instructions": "S", "tools": [], "metadata": {"a": "b"}, "stream": True, "user": None}
    read = responses_request_to_chat(body)
    assert isinstance(read, ResponsesRequest)
    assert read.echo == {"instructions": "S", "tools": [], "metadata": {"a": "b"}}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["x", "message", "function", "reasoning", "input_text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "role", "content", "text", "summary", "format"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = ["input", "instructions", "text", "tools", "tool_choice", "reasoning", "prompt", "max_output_tokens"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_body_is_read_or_refused_and_never_edited(body: dict[str, Any]) -> None:
    before = deepcopy(body)
    read = responses_request_to_chat(body)
    assert isinstance(read, ResponsesRequest | Refusal)
    assert body == before
