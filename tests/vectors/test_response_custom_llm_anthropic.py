"""Vectors of response-path §16.8 that speak of Anthropic Messages, or of no dialect: what is sent, what comes back."""

import json
from typing import Any

import pytest

from tollway.storage.presets import load_preset
from tollway.wire.dialects.anthropic_answer_to_chat import (
    AnthropicToChatStream,
    anthropic_answer_to_chat,
    anthropic_error_to_chat,
    finish_reason,
)
from tollway.wire.dialects.chat_request_to_anthropic import AnthropicRequest, chat_to_anthropic
from tollway.wire.dialects.parameters import ModelOptions, read_parameters
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.usage import Usage

PRESET = load_preset("kilo")
PUBLIC_ID = "kilo-internal/acme-claude"
ROW = ModelOptions(PUBLIC_ID, "claude-sonnet-4-5")
EPHEMERAL = {"type": "ephemeral"}

C1 = json.loads(
    r"""
{"model":"kilo-internal/acme-claude","stream":true,"max_tokens":1000,"temperature":0.2,"verbosity":"high","messages":[
 {"role":"system","content":"Be brief."},
 {"role":"user","content":[{"type":"text","text":"Read a.txt","cache_control":{"type":"ephemeral"}}]},
 {"role":"assistant","content":"Sure. ","reasoning_details":[
   {"type":"reasoning.text","text":"Plan","signature":"SIG","format":"anthropic-claude-v1","index":0}],
  "tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"read","arguments":"{\"p\":1}"}}]},
 {"role":"tool","tool_call_id":"toolu_1","content":"data"},
 {"role":"user","content":"Thanks"}],
 "tools":[{"type":"function","function":{"name":"read","parameters":{"type":"object","properties":{"p":{"type":"number"}}}}}]}
"""
)
V102 = json.loads(
    """
{"model":"claude-sonnet-4-5","max_tokens":1000,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},
 "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
 "messages":[
  {"role":"user","content":[{"type":"text","text":"Read a.txt","cache_control":{"type":"ephemeral"}}]},
  {"role":"assistant","content":[{"type":"thinking","thinking":"Plan","signature":"SIG"},
    {"type":"text","text":"Sure. "},
    {"type":"tool_use","id":"toolu_1","name":"read","input":{"p":1}}]},
  {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"data"},
    {"type":"text","text":"Thanks"}]}],
 "tools":[{"name":"read","input_schema":{"type":"object","properties":{"p":{"type":"number"}}}}],
 "tool_choice":{"type":"auto","disable_parallel_tool_use":false},"stream":true}
"""
)
C3_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 20},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "SIG"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "ping"},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"p":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 42}},
    {"type": "message_stop"},
]
V104 = rb"""
data: {"model":"kilo-internal/acme-claude","choices":[{"delta":{"reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","index":0}]}}]}

data: {"model":"kilo-internal/acme-claude","choices":[{"delta":{"reasoning":"","reasoning_details":[{"type":"reasoning.text","text":"","signature":"SIG","index":0,"format":"anthropic-claude-v1"}]}}]}

data: {"model":"kilo-internal/acme-claude","choices":[{"delta":{"content":"Hi"}}]}

data: {"model":"kilo-internal/acme-claude","choices":[{"delta":{"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":{"name":"read"}}]}}]}

data: {"model":"kilo-internal/acme-claude","choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"p\":"}}]}}]}

data: {"model":"kilo-internal/acme-claude","choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}

data: {"id":"msg_1","model":"kilo-internal/acme-claude","choices":[{"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":35,"completion_tokens":42,"total_tokens":77,"prompt_tokens_details":{"cached_tokens":20,"cache_write_tokens":5}}}

data: [DONE]

""".removeprefix(b"\n")  # noqa: E501  as the page writes it


def sent(body: dict[str, Any], row: ModelOptions = ROW, user_agent: str = "") -> AnthropicRequest:
    parameters = read_parameters(body, row, user_agent, PRESET.legacy_client_prefix)
    request = chat_to_anthropic(body, row, parameters, PRESET.anthropic)
    assert isinstance(request, AnthropicRequest)
    return request


def sent_messages(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent({"messages": list(messages)}).body["messages"]
    return found


def stream_of(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in events)


def told(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chunks of a stream of these events."""
    stream = AnthropicToChatStream(PUBLIC_ID)
    chunks = (stream.feed(stream_of(events)) + stream.close()).removesuffix(b"data: [DONE]\n\n")
    return [json.loads(one.removeprefix(b"data: ")) for one in chunks.split(b"\n\n") if one]


@pytest.mark.parametrize("row", [pytest.param(ROW, id="response:V102")])
def test_a_request(row: ModelOptions) -> None:
    request = sent(C1, row)
    assert request.body == V102
    assert list(request.body) == list(V102)
    headers = dict(request.headers)
    assert headers["anthropic-version"] == "2023-06-01"
    assert set(headers["anthropic-beta"].split(",")) == {
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "structured-outputs-2025-11-13",
        "context-1m-2025-08-07",
    }


@pytest.mark.parametrize("cut", [pytest.param(size, id=f"response:V104-by-{size}") for size in (1, 7, 10_000)])
def test_a_stream(cut: int) -> None:
    stream, body = AnthropicToChatStream(PUBLIC_ID), stream_of(C3_EVENTS)
    written = b"".join(stream.feed(body[at : at + cut]) for at in range(0, len(body), cut)) + stream.close()
    assert written == V104


def test_what_a_row_says_of_a_stream() -> None:
    """The counts of V131; the row itself is the gateway's."""
    stream = AnthropicToChatStream(PUBLIC_ID)
    stream.feed(stream_of(C3_EVENTS))
    assert stream.usage == Usage(35, 42, cached_tokens=20, cache_write_tokens=5)
    assert (stream.usage.cost_usd, stream.usage.is_byok) == (None, None)


@pytest.mark.parametrize("choice", [pytest.param("none", id="response:V112-anthropic")])
def test_no_tool_may_be_called(choice: str) -> None:
    assert sent({**C1, "tool_choice": choice}).body.keys().isdisjoint({"tools", "tool_choice"})


@pytest.mark.parametrize("count", [pytest.param(5, id="response:V113")])
def test_no_more_marks_than_anthropic_takes(count: int) -> None:
    part = {"type": "text", "text": "x", "cache_control": EPHEMERAL}
    body = sent({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [part] * count}]}).body
    assert body["system"][0]["cache_control"] == EPHEMERAL
    blocks = body["messages"][0]["content"]
    assert ["cache_control" in block for block in blocks] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("detail", "blocks"),
    [
        pytest.param(
            {"type": "reasoning.text", "text": "Plan", "format": "anthropic-claude-v1", "index": 0},
            [],
            id="response:V114",
        ),
        pytest.param(
            {"type": "reasoning.encrypted", "data": "D", "format": "anthropic-claude-v1"},
            [{"type": "redacted_thinking", "data": "D"}],
            id="response:V115",
        ),
    ],
)
def test_reasoning_sent_back(detail: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    messages = sent_messages(
        {"role": "assistant", "content": "a", "reasoning_details": [detail]}, {"role": "user", "content": "b"}
    )
    assert messages[0]["content"] == [*blocks, {"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("block", "delta"),
    [
        pytest.param(
            {"type": "redacted_thinking", "data": "D"},
            {
                "reasoning_details": [
                    {"type": "reasoning.encrypted", "data": "D", "index": 0, "format": "anthropic-claude-v1"}
                ]
            },
            id="response:V116",
        )
    ],
)
def test_redacted_thinking(block: dict[str, Any], delta: dict[str, Any]) -> None:
    chunk = told([{"type": "content_block_start", "index": 0, "content_block": block}])[0]
    assert chunk == {"model": PUBLIC_ID, "choices": [{"delta": delta}]}


@pytest.mark.parametrize(
    ("arguments", "tool_input"),
    [
        pytest.param("", {}, id="response:V117-empty"),
        pytest.param("{bad", {"raw_arguments": "{bad"}, id="response:V117-bad"),
    ],
)
def test_arguments_that_are_no_json(arguments: str, tool_input: dict[str, Any]) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = sent_messages(
        {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "done"}
    )
    assert messages[0]["content"] == [{"type": "tool_use", "id": "c", "name": "f", "input": tool_input}]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(" Yes: ", "Yes:", id="response:V118")])
def test_a_beginning_for_the_model(text: str, expected: str) -> None:
    messages = sent_messages({"role": "user", "content": "?"}, {"role": "assistant", "content": text})
    assert messages[-1] == {"role": "assistant", "content": [{"type": "text", "text": expected}]}


@pytest.mark.parametrize("url", [pytest.param("http://x/y.png", id="response:V119")])
def test_an_image_on_the_web(url: str) -> None:
    image = {"type": "image_url", "image_url": {"url": url}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = sent_messages(
        {"role": "user", "content": [image]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [image]},
    )
    assert messages[0]["content"] == [{"type": "image", "source": {"type": "url", "url": url}}]
    assert messages[2]["content"][0]["content"] == [{"type": "text", "text": url}]


@pytest.mark.parametrize("url", [pytest.param("not a url", id="response:V120-anthropic")])
def test_an_image_that_is_nowhere(url: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    refusal = chat_to_anthropic(body, ROW, read_parameters(body, ROW), PRESET.anthropic)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    expected = b'{"error":{"message":"Unsupported content part: image_url","code":400,"type":"error"}}'
    assert refusal.body == expected


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        pytest.param("model_context_window_exceeded", "length", id="response:V121-window"),
        pytest.param("pause_turn", "stop", id="response:V121-pause"),
        pytest.param("refusal", "content_filter", id="response:V121-refusal"),
    ],
)
def test_why_it_ended(stop_reason: str, expected: str) -> None:
    assert finish_reason(stop_reason) == expected
    chunk = told([{"type": "message_delta", "delta": {"stop_reason": stop_reason}}, {"type": "message_stop"}])[0]
    assert chunk["choices"][0]["finish_reason"] == expected


@pytest.mark.parametrize(
    ("model", "asked", "limit_of_row", "expected"),
    [
        pytest.param("some-model", None, 0, 4096, id="response:V123-no-limit"),
        pytest.param("some-model", None, 9000, 9000, id="response:V123-limit"),
        pytest.param("claude-3-5-haiku-x", 20000, 0, 8192, id="response:V124"),
    ],
)
def test_how_much_may_be_written(model: str, asked: int | None, limit_of_row: int, expected: int) -> None:
    body = {"messages": [], **({"max_tokens": asked} if asked else {})}
    assert sent(body, ModelOptions(PUBLIC_ID, model, limit_of_row)).body["max_tokens"] == expected


@pytest.mark.parametrize("stopped", [pytest.param({"type": "content_block_stop", "index": 0}, id="response:V129")])
def test_a_call_without_a_fragment(stopped: dict[str, Any]) -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
    chunks = told([{"type": "content_block_start", "index": 0, "content_block": block}, stopped])
    calls = [chunk["choices"][0]["delta"]["tool_calls"][0] for chunk in chunks]
    assert calls[1:] == [{"index": 0, "function": {"arguments": "{}"}}]


@pytest.mark.parametrize("texts", [pytest.param(("A", "B"), id="response:V130")])
def test_a_whole_answer(texts: tuple[str, ...]) -> None:
    body = {
        "id": "msg_1",
        "content": [{"type": "text", "text": text} for text in texts],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    assert json.loads(anthropic_answer_to_chat(json.dumps(body).encode(), PUBLIC_ID)) == {
        "id": "msg_1",
        "model": PUBLIC_ID,
        "choices": [{"message": {"role": "assistant", "content": "AB"}, "finish_reason": "stop", "index": 0}],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        },
    }


def test_what_a_client_is_told_of_a_refusal() -> None:
    """The body of V126 and V127; that it is tried once, and its status kept, is the gateway's."""
    body = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    assert json.loads(anthropic_error_to_chat(body, 401)) == {
        "error": {"message": "invalid x-api-key", "code": 401, "type": "error"}
    }
