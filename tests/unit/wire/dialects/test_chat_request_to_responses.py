"""Chat requests as bodies of the Responses API, and back again."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.storage.presets import load_preset
from tollway.wire.dialects.chat_request_to_responses import ResponsesDraft, chat_to_responses
from tollway.wire.dialects.openai_facts import OpenAIFacts
from tollway.wire.dialects.parameters import ModelOptions, read_parameters
from tollway.wire.dialects.phases import phase_key
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.dialects.responses_request_to_chat import ResponsesRequest, responses_request_to_chat
from unit.wire.dialects.dialogues import CHOICES, REQUESTS, TOOLS

KILO = load_preset("kilo").openai
MODEL = ModelOptions("acme", "gpt-5.2")


def draft(body: dict[str, Any], options: ModelOptions = MODEL, facts: OpenAIFacts = KILO) -> ResponsesDraft:
    made = chat_to_responses(body, options, read_parameters(body, options), facts)
    assert isinstance(made, ResponsesDraft)
    return made


def items(*messages: dict[str, Any], model: str = "gpt-5.2") -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = draft({"messages": list(messages)}, ModelOptions("acme", model)).body["input"]
    return made


@given(REQUESTS, st.lists(st.sampled_from(TOOLS), max_size=2), CHOICES)
def test_there_and_back_again(request: dict[str, Any], tools: list[Any], choice: Any) -> None:
    given_ = {**request, "tools": tools, "tool_choice": choice} if tools else request
    before = deepcopy(given_)
    body = draft(given_).body
    assert given_ == before
    again = responses_request_to_chat(body)
    assert isinstance(again, ResponsesRequest)
    expected = {**given_, "model": "gpt-5.2"}
    if len(tools) == 2 and tools[0] is tools[1]:
        expected["tools"] = tools[:1]
    assert again.chat == expected


@pytest.mark.parametrize(
    ("model", "effort", "force", "expected"),
    [
        ("gpt-5.2", None, False, (None, {"summary": "auto"})),
        ("gpt-5.2", "none", False, (0.5, {"effort": "none", "summary": "auto"})),
        ("gpt-5", "none", False, (None, {"effort": "none", "summary": "auto"})),
        ("gpt-5-chat-latest", "low", False, (0.5, None)),
        ("o3-mini", "low", False, (None, {"effort": "low", "summary": "auto"})),
        ("gpt-4o", "low", False, (0.5, None)),
        ("my-own", "low", True, (None, {"effort": "low", "summary": "auto"})),
        ("my-own", "none", True, (0.5, None)),
        ("my-own", None, True, (None, {"summary": "auto"})),
        ("my-own", "odd", True, (None, {"summary": "auto"})),
    ],
)
def test_models_that_reason(model: str, effort: str | None, force: bool, expected: tuple[Any, Any]) -> None:
    options = ModelOptions("acme", model, force_reasoning=force)
    request = {"messages": [{"role": "system", "content": "S"}], "temperature": 0.5, "reasoning": {"effort": effort}}
    body = draft(request, options).body
    assert (body.get("temperature"), body.get("reasoning")) == expected
    assert body["input"] == [{"role": "developer" if expected[1] else "system", "content": "S"}]


def test_without_a_preset_no_model_reasons() -> None:
    assert "reasoning" not in draft({"messages": []}, facts=OpenAIFacts()).body


def test_what_is_always_sent_and_nothing_else() -> None:
    request = {"messages": [], "top_p": 1, "stop": ["x"], "seed": 1, "response_format": {}, "n": 1, "logprobs": True}
    assert draft(request, ModelOptions("acme", "gpt-4o")).body == {
        "model": "gpt-4o",
        "input": [],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "parallel_tool_calls": True,
    }


def test_the_row_speaks_where_the_caller_does_not() -> None:
    options = ModelOptions("acme", "gpt-5.2", verbosity="max", reasoning_effort="high")
    body = draft({"messages": []}, options).body
    assert (body["text"], body["reasoning"]) == ({"verbosity": "high"}, {"effort": "high", "summary": "auto"})


def test_system_text_is_joined_and_the_developer_is_the_system() -> None:
    parts = [{"type": "text", "text": "A"}, {"type": "text", "text": "B", "cache_control": {"type": "ephemeral"}}]
    expected = [{"role": "system", "content": "AB"}]
    assert items({"role": "developer", "content": parts}, model="gpt-4o") == expected


def test_the_order_within_a_turn() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "ls", "arguments": None}}]
    content = [{"type": "text", "text": "A"}, {"type": "text", "text": ""}, {"type": "text", "text": "B"}]
    detail = {"type": "reasoning.encrypted", "data": "E", "id": "rs", "format": "openai-responses-v1"}
    message = {"role": "assistant", "content": content, "reasoning_details": [detail], "tool_calls": calls}
    assert items(message, {"role": "tool", "tool_call_id": "c"}) == [
        {"type": "reasoning", "id": "rs", "encrypted_content": "E", "summary": []},
        {"role": "assistant", "content": [{"type": "output_text", "text": "A"}, {"type": "output_text", "text": "B"}]},
        {"type": "function_call", "call_id": "c", "name": "ls", "arguments": ""},
        {"type": "function_call_output", "call_id": "c", "output": ""},
    ]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "function", "content": "x"}], "Unsupported message role: function"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "Unsupported content part: input_audio"),
        ([{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "x"}}]}], "A tool call has no result"),
    ],
)
def test_refusals(messages: list[dict[str, Any]], message: str) -> None:
    body = {"messages": messages}
    assert chat_to_responses(body, MODEL, read_parameters(body, MODEL), KILO) == Refusal(message)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, "auto"),
        ("required", "required"),
        ("odd", "auto"),
        ({"type": "function", "function": {"name": "ls"}}, {"type": "function", "name": "ls"}),
        ({"type": "function"}, "auto"),
    ],
)
def test_tool_choices(choice: Any, expected: Any) -> None:
    body = draft({"messages": [], "tools": TOOLS, "tool_choice": choice}).body
    assert body["tool_choice"] == expected


def test_tools() -> None:
    last = {"type": "function", "function": {"name": "ls", "strict": True}}
    body = draft({"messages": [], "tools": [*TOOLS, {"type": "web_search"}, last]}).body
    assert body["tools"] == [
        {"type": "function", "name": "ls", "parameters": {"type": "object"}, "strict": True},
        {"type": "function", "name": "read", "description": "Reads.", "parameters": {}, "strict": False},
    ]
    assert (
        draft({"messages": [], "tools": [{"type": "web_search"}], "tool_choice": "none"})
        .body.keys()
        .isdisjoint({"tools", "tool_choice"})
    )


# Phases

TURNS = [
    {"role": "assistant", "content": "One"},
    {"role": "user", "content": "Two"},
    {"role": "assistant", "content": "Three"},
    {"role": "assistant", "content": None},
]


def test_phases_of_the_messages_that_are_known() -> None:
    made = draft({"messages": TURNS})
    keys = made.phase_keys("u", "t")
    assert keys == [phase_key("u", "t", ["One"]), phase_key("u", "t", ["Three"])]
    one, two, three = made.with_phases(keys, {keys[1]: "final_answer", "another": "commentary"})["input"]
    assert three == {
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Three"}],
        "phase": "final_answer",
    }
    assert [one, two, {**three}] != made.body["input"]
    assert [one, two] == made.body["input"][:2]


def test_where_none_is_known_the_body_stays() -> None:
    made = draft({"messages": TURNS})
    assert made.with_phases(made.phase_keys("u", None), {}) is made.body


def test_equal_messages_have_equal_phases() -> None:
    made = draft({"messages": [TURNS[0], TURNS[1], TURNS[0]]})
    keys = made.phase_keys("u", "t")
    marked = made.with_phases(keys, {keys[0]: "commentary"})["input"]
    assert [item.get("phase") for item in marked] == ["commentary", None, "commentary"]
