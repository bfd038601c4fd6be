from typing import Any

import pytest
from hypothesis import given
from msgspec.json import encode

from tollway.wire.chat import parse_chat
from tollway.wire.dialects.anthropic_facts import AnthropicFacts
from tollway.wire.dialects.anthropic_request_to_chat import anthropic_request_to_chat
from tollway.wire.dialects.chat_request_to_anthropic import AnthropicRequest, chat_to_anthropic
from tollway.wire.dialects.parameters import ModelOptions, read_parameters
from tollway.wire.dialects.refusal import Refusal
from unit.wire.dialects.messages import requests

ROW = ModelOptions("p", "m")


def chat(**body: Any) -> dict[str, Any]:
    found = anthropic_request_to_chat(body)
    assert isinstance(found, dict)
    return found


@given(requests())
def test_what_clients_send_is_a_chat_request(body: dict[str, Any]) -> None:
    """One that passes our own check, and says the same when it is sent to Anthropic again."""
    before = repr(body)
    request = parse_chat(encode(chat(**body)))
    assert repr(body) == before
    back = chat_to_anthropic(request.body, ROW, read_parameters(request.body, ROW), AnthropicFacts())
    assert isinstance(back, AnthropicRequest)
    for name in ("model", "max_tokens", "tools"):
        assert back.body.get(name) == body.get(name)
    choice = body.get("tool_choice")
    assert back.body.get("tool_choice") == choice


def test_settings() -> None:
    assert chat(model="m", max_tokens=5, temperature=0.5, top_p=0.9, top_k=3, stream=True, stop_sequences=["x"]) == {
        "model": "m",
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "stream": True,
        "stop": ["x"],
        "messages": [],
    }
    assert chat(metadata={"user_id": "u"}, service_tier="auto", stop_sequences=[], temperature=None) == {"messages": []}


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({"type": "enabled", "budget_tokens": 1_024}, {"max_tokens": 1_024}),
        ({"type": "enabled"}, {"enabled": True}),
        ({"type": "adaptive"}, {"enabled": True}),
        ({"type": "disabled"}, {"enabled": False}),
        ({"type": "strange"}, None),
        (None, None),
    ],
)
def test_thinking(thinking: Any, expected: Any) -> None:
    assert chat(thinking=thinking).get("reasoning") == expected


@pytest.mark.parametrize(
    ("effort", "expected"),
    [("low", "low"), ("max", "max"), ("xhigh", "high"), ("strange", None), (1, None), (None, None)],
)
def test_effort(effort: Any, expected: str | None) -> None:
    assert chat(output_config={"effort": effort}).get("verbosity") == expected


def test_a_schema_for_the_answer() -> None:
    schema = {"type": "object"}
    assert chat(output_config={"format": {"type": "json_schema", "schema": schema}})["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "tool"}, None),
        ({"type": ["x"]}, None),
        ("auto", None),
    ],
)
def test_the_choice_of_tools(choice: Any, expected: Any) -> None:
    found = chat(tool_choice=choice)
    assert found.get("tool_choice") == expected
    assert "parallel_tool_calls" not in found
    if isinstance(choice, dict):
        assert chat(tool_choice={**choice, "disable_parallel_tool_use": True})["parallel_tool_calls"] is False


def test_tools() -> None:
    tool = {"type": "custom", "name": "f", "input_schema": {"type": "object"}, "strict": True, "cache_control": {}}
    function = {"name": "f", "parameters": {"type": "object"}, "strict": True}
    assert chat(tools=[tool])["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "Unsupported tool: web_search_20250305"),
        ({"mcp_servers": [{"url": "https://x"}]}, "Unsupported tool: mcp_servers"),
        ({"messages": [{"role": "user", "content": [{"type": "upload"}]}]}, "Unsupported content part: upload"),
    ],
)
def test_what_chat_cannot_do(body: dict[str, Any], message: str) -> None:
    assert anthropic_request_to_chat(body) == Refusal(message)
