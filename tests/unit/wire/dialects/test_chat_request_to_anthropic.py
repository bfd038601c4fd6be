from typing import Any

import pytest

from tollway.wire.dialects.anthropic_facts import AnthropicFacts, Betas, OutputLimit
from tollway.wire.dialects.chat_request_to_anthropic import AnthropicRequest, chat_to_anthropic
from tollway.wire.dialects.parameters import ModelOptions, Parameters
from tollway.wire.dialects.refusal import Refusal

FACTS = AnthropicFacts((OutputLimit("known", 100),), 50, ("strict",), Betas("pdf", "effort", "stream", "tools", ("b",)))
PLAIN = Parameters()
USER = {"role": "user", "content": "u"}
TOOL = {"type": "function", "function": {"name": "f", "strict": True, "description": "d"}}
PDF = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}


def request(
    body: dict[str, Any] | None = None,
    parameters: Parameters = PLAIN,
    model: str = "m",
    limit: int = 0,
    facts: AnthropicFacts = FACTS,
) -> AnthropicRequest:
    found = chat_to_anthropic({"messages": [USER], **(body or {})}, ModelOptions("p", model, limit), parameters, facts)
    assert isinstance(found, AnthropicRequest)
    return found


def test_the_least_there_is() -> None:
    found = request(facts=AnthropicFacts())
    assert found.body == {
        "model": "m",
        "max_tokens": 4_096,
        "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}],
    }
    assert found.headers == (("anthropic-version", "2023-06-01"),)


@pytest.mark.parametrize(
    ("model", "limit", "asked", "expected"),
    [
        ("m", 0, None, 50),
        ("m", 0, 70, 70),
        ("m", 60, None, 60),
        ("m", 60, 70, 60),
        ("known-1", 0, None, 100),
        ("known-1", 0, 170, 100),
        ("known-1", 0, 7, 7),
        ("known-1", 120, 170, 120),
    ],
)
def test_how_much_may_be_written(model: str, limit: int, asked: int | None, expected: int) -> None:
    found = request(parameters=Parameters(completion_tokens_max=asked), model=model, limit=limit)
    assert found.body["max_tokens"] == expected


def test_nothing_else_is_forwarded() -> None:
    body = {"top_p": 0.5, "stop": ["x"], "seed": 1, "response_format": {}, "user": "u", "model": "other", "n": 1}
    assert request(body, Parameters(temperature=0.5)).body == request().body


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, True, {"type": "auto", "disable_parallel_tool_use": False}),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", True, {"type": "any", "disable_parallel_tool_use": False}),
        (
            {"type": "function", "function": {"name": "f"}},
            False,
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        ),
        ("none", True, None),
    ],
)
def test_the_choice_of_tools(choice: Any, parallel: bool, expected: Any) -> None:
    body = request({"tools": [TOOL], "tool_choice": choice}, Parameters(parallel_tool_calls=parallel)).body
    assert body.get("tool_choice") == expected
    assert ("tools" in body) is (expected is not None)


def test_a_choice_without_tools_is_not_sent() -> None:
    assert request({"tools": [{"type": "web_search"}], "tool_choice": "required"}).body == request().body


@pytest.mark.parametrize(("model", "is_strict"), [("strict-1", True), ("m", False)])
def test_strict_tools(model: str, is_strict: bool) -> None:
    tool = request({"tools": [TOOL]}, model=model).body["tools"][0]
    expected = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
    assert tool == (expected | {"strict": True} if is_strict else expected)


@pytest.mark.parametrize(
    ("body", "parameters", "model", "betas"),
    [
        ({}, PLAIN, "m", "b"),
        ({"messages": [{"role": "user", "content": [PDF]}]}, PLAIN, "m", "pdf,b"),
        ({}, Parameters(verbosity="low"), "m", "effort,b"),
        ({}, Parameters(stream=True), "m", "stream,b"),
        ({"tools": [TOOL]}, PLAIN, "strict", "tools,b"),
        ({"tools": [TOOL], "tool_choice": "none"}, PLAIN, "strict", "b"),
        ({"tools": [TOOL]}, PLAIN, "m", "b"),
    ],
)
def test_what_is_asked_for(body: dict[str, Any], parameters: Parameters, model: str, betas: str) -> None:
    assert dict(request(body, parameters, model).headers)["anthropic-beta"] == betas


def test_a_refusal_is_a_value() -> None:
    body = {"messages": [{"role": "wizard"}]}
    assert chat_to_anthropic(body, ModelOptions("p", "m"), PLAIN, FACTS) == Refusal("Unsupported message role: wizard")
