"""Vectors of response-path §16.8 about OpenAI's Responses API (C2, C4) and the phases of its messages."""

import json
from typing import Any

import pytest

from tollway.storage.presets import load_preset
from tollway.wire.dialects.chat_request_to_responses import ResponsesDraft, chat_to_responses
from tollway.wire.dialects.details import OBSCURED, OPENAI
from tollway.wire.dialects.parameters import ModelOptions, read_parameters
from tollway.wire.dialects.phases import phase_key
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.dialects.responses_answer_to_chat import responses_answer_to_chat
from tollway.wire.dialects.responses_stream_to_chat import ResponsesToChatStream

PRESET = load_preset("kilo")
MODEL = ModelOptions("kilo-internal/acme-gpt", "gpt-5.2")
OPENAI_URL = "https://api.openai.com/v1"

TOOL = {"name": "ls", "description": "list", "parameters": {"type": "object"}}
C2: dict[str, Any] = {
    "model": "kilo-internal/acme-gpt",
    "max_completion_tokens": 500,
    "temperature": 1,
    "verbosity": "max",
    "reasoning": {"effort": "low"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "user": "s",
    "tool_choice": "required",
    "messages": [
        {"role": "system", "content": "S"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": "Ok",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Plan", "id": "rs_1", "format": OPENAI, "index": 0},
                {"type": "reasoning.encrypted", "data": "ENC", "id": "rs_1", "format": OPENAI, "index": 1},
            ],
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"},
    ],
    "tools": [{"type": "function", "function": TOOL}],
}
V103: dict[str, Any] = {
    "model": "gpt-5.2",
    "input": [
        {"role": "developer", "content": "S"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "encrypted_content": "ENC",
            "summary": [{"type": "summary_text", "text": "Plan"}],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "Ok"}], "phase": "final_answer"},
        {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
    ],
    "max_output_tokens": 500,
    "text": {"verbosity": "high"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "store": False,
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "user": "s",
    "tools": [{"type": "function", **TOOL}],
    "tool_choice": "required",
}
STORED = {phase_key("u1", "t1", ["Ok"]): "final_answer"}


def draft(body: dict[str, Any], user_agent: str = "") -> ResponsesDraft:
    parameters = read_parameters(body, MODEL, user_agent, PRESET.legacy_client_prefix)
    made = chat_to_responses(body, MODEL, parameters, PRESET.openai)
    assert isinstance(made, ResponsesDraft)
    return made


def sent(body: dict[str, Any], base_url: str = OPENAI_URL, user_agent: str = "") -> dict[str, Any]:
    """What goes upstream for user u1 and task t1, with what `temp_phase` holds."""
    made = draft(body, user_agent)
    if not PRESET.openai.has_phases(base_url):
        return made.body
    keys = made.phase_keys("u1", "t1")
    return made.with_phases(keys, {key: STORED[key] for key in keys if key in STORED})


@pytest.mark.parametrize("", [pytest.param(id="response:V103")])
def test_the_request() -> None:
    assert sent(C2) == V103
    assert list(sent(C2)) == list(V103)


C4_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1"}},
    {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "summary_index": 0, "delta": "Plan"},
    {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "ENC"},
    },
    {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "msg_1"}},
    {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "delta": "Ok"},
    {
        "type": "response.output_item.done",
        "output_index": 1,
        "item": {"type": "message", "phase": "final_answer", "content": [{"type": "output_text", "text": "Ok"}]},
    },
    {
        "type": "response.output_item.added",
        "output_index": 2,
        "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "ls", "arguments": ""},
    },
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "{}"},
    {
        "type": "response.output_item.done",
        "output_index": 2,
        "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "ls", "arguments": "{}"},
    },
    {
        "type": "response.completed",
        "response": {
            "id": "resp_1",
            "usage": {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 60},
                "output_tokens": 30,
                "output_tokens_details": {"reasoning_tokens": 12},
            },
        },
    },
]
V105 = (
    'data: {"model":"kilo-internal/acme-gpt","choices":[{"delta":{"reasoning":"Plan","reasoning_details":['
    '{"type":"reasoning.text","text":"Plan","index":0,"id":"rs_1","format":"openai-responses-v1"}]}}]}\n\n'
    'data: {"model":"kilo-internal/acme-gpt","choices":[{"delta":{"reasoning_details":['
    '{"type":"reasoning.encrypted","data":"ENC","index":1,"id":"rs_1","format":"openai-responses-v1"}]}}]}\n\n'
    'data: {"model":"kilo-internal/acme-gpt","choices":[{"delta":{"content":"Ok"}}]}\n\n'
    'data: {"model":"kilo-internal/acme-gpt","choices":[{"delta":{"tool_calls":['
    '{"index":0,"id":"call_1","type":"function","function":{"name":"ls"}}]}}]}\n\n'
    'data: {"model":"kilo-internal/acme-gpt","choices":[{"delta":{"tool_calls":['
    '{"index":0,"function":{"arguments":"{}"}}]}}]}\n\n'
    'data: {"id":"resp_1","model":"kilo-internal/acme-gpt","choices":[{"delta":{},"finish_reason":"tool_calls"}],'
    '"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":'
    '{"cached_tokens":60},"completion_tokens_details":{"reasoning_tokens":12}}}\n\n'
    "data: [DONE]\n\n"
)


def events(told: list[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in told)


def translated(told: list[dict[str, Any]], is_legacy: bool = False) -> tuple[str, ResponsesToChatStream]:
    stream = ResponsesToChatStream("kilo-internal/acme-gpt", is_legacy, "u1", "t1")
    return (stream.feed(events(told)) + stream.close()).decode(), stream


@pytest.mark.parametrize("", [pytest.param(id="response:V105")])
def test_the_stream() -> None:
    written, stream = translated(C4_EVENTS)
    assert written == V105
    assert stream.is_finished


@pytest.mark.parametrize("", [pytest.param(id="response:V106")])
def test_a_legacy_client() -> None:
    parameters = read_parameters(C2, MODEL, "Kilo-Code/5.1", PRESET.legacy_client_prefix)
    written, _ = translated(C4_EVENTS, parameters.is_legacy)
    assert written == V105.replace(f'"{OPENAI}"', f'"{OBSCURED}"')
    allowed = {**C2, "parallel_tool_calls": True}
    assert draft(allowed).body["parallel_tool_calls"] is True
    assert draft(allowed, "Kilo-Code/5.1").body["parallel_tool_calls"] is False
    chunks = [json.loads(line.removeprefix("data: ")) for line in written.split("\n\n")[:-2]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    details = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
    again = json.loads(json.dumps(C2))
    again["messages"][2]["reasoning_details"] = details
    assert sent(again, user_agent="Kilo-Code/5.1") == V103


@pytest.mark.parametrize("", [pytest.param(id="response:V107")])
def test_the_phase_that_the_stream_leaves() -> None:
    _, stream = translated(C4_EVENTS)
    key = "b95a99c15dd46316ef2703c0d46e943862c253e87b9f4d1da8ab1e58d03fe130"
    assert stream.phases == {key: "final_answer"} == STORED


@pytest.mark.parametrize(
    ("task_id", "texts", "key"),
    [
        pytest.param(
            "t1",
            ["Hello"],
            "62dc4e337d4b03b55e00de22d786368d64bedb0e910674bbb93146ba1464405e",
            id="response:V108",
        ),
        pytest.param(
            None,
            ["Hello"],
            "f1326dfb8f2a436e352d7c7c090161d27812e215ef2809789fb9d63af40b3733",
            id="response:V109",
        ),
        pytest.param(
            "t1",
            ["a", "b"],
            "27f1ab5b3b90b21bef2e1314ad5f6c639a415ecc413f6c94d340a2abc5309a26",
            id="response:V110",
        ),
        pytest.param(
            "t1",
            ["a|b"],
            "27f1ab5b3b90b21bef2e1314ad5f6c639a415ecc413f6c94d340a2abc5309a26",
            id="response:V110 in one",
        ),
    ],
)
def test_phase_keys(task_id: str | None, texts: list[str], key: str) -> None:
    assert phase_key("u1", task_id, texts) == key


@pytest.mark.parametrize("", [pytest.param(id="response:V111")])
def test_elsewhere_there_are_no_phases() -> None:
    assert not PRESET.openai.has_phases("https://proxy.example/v1")
    body = sent(C2, "https://proxy.example/v1")
    assert not any("phase" in item for item in body["input"])


@pytest.mark.parametrize("", [pytest.param(id="response:V112 OpenAI")])
def test_no_tool_is_to_be_called() -> None:
    body = draft({**C2, "tool_choice": "none"}).body
    assert body["tool_choice"] == "none"
    assert body["tools"] == V103["tools"]


@pytest.mark.parametrize("", [pytest.param(id="response:V120 OpenAI")])
def test_an_image_that_is_nowhere() -> None:
    image = {"type": "image_url", "image_url": {"url": "not a url"}}
    body = {**C2, "messages": [{"role": "user", "content": [image]}]}
    refused = chat_to_responses(body, MODEL, read_parameters(body, MODEL), PRESET.openai)
    assert isinstance(refused, Refusal)
    assert refused.status == 400
    assert json.loads(refused.body) == {
        "error": {"message": "Unsupported content part: image_url", "code": 400, "type": "error"}
    }


CUT_SHORT = {"id": "resp_1", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}


@pytest.mark.parametrize("", [pytest.param(id="response:V122")])
def test_an_answer_that_was_cut_short() -> None:
    written, stream = translated([C4_EVENTS[0], {"type": "response.incomplete", "response": CUT_SHORT}])
    assert '"finish_reason":"length"' in written
    assert stream.finish_reason == "length"
    whole = json.loads(responses_answer_to_chat(json.dumps(CUT_SHORT).encode(), "kilo-internal/acme-gpt"))
    assert whole["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("", [pytest.param(id="response:V128 OpenAI")])
def test_a_provider_that_breaks_off() -> None:
    """What it reports is told in one event; of a connection that just ends, the relay tells."""
    text = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
    failed = {"type": "error", "code": "server_error", "message": "Out of order."}
    written, stream = translated([C4_EVENTS[0], text, failed, *C4_EVENTS[5:]])
    first, last, rest = written.split("\n\n")
    assert first == 'data: {"model":"kilo-internal/acme-gpt","choices":[{"delta":{"content":"Hi"}}]}'
    error = json.loads(last.removeprefix("data: "))["error"]
    assert error == {"message": "Out of order.", "code": 500, "type": "error"}
    assert rest == ""
    assert stream.error
    broken, stream = translated([C4_EVENTS[0], text])
    assert broken == first + "\n\n"
    assert not stream.is_finished


@pytest.mark.parametrize("", [pytest.param(id="response:V129 OpenAI")])
def test_a_call_without_arguments() -> None:
    done = {**C4_EVENTS[9], "item": {**C4_EVENTS[9]["item"], "arguments": ""}}
    written, _ = translated([C4_EVENTS[0], C4_EVENTS[7], done, C4_EVENTS[10]])
    assert written.count('"arguments"') == 1
    assert '{"index":0,"function":{"arguments":"{}"}}' in written
