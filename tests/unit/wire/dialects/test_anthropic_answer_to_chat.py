"""Answers of Anthropic as chat: streams cut anywhere, streams that lie, and whole ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.anthropic_answer_to_chat import (
    OPEN_BLOCKS_MAX,
    AnthropicToChatStream,
    anthropic_answer_to_chat,
    anthropic_error_to_chat,
    finish_reason,
)
from tollway.wire.scan import StreamScanner
from tollway.wire.usage import Usage
from unit.wire.dialects.messages import answers, events_of, sse

BLOCK_START = {"type": "content_block_start", "index": 0}


def translate(pieces: list[bytes]) -> tuple[bytes, AnthropicToChatStream]:
    stream = AnthropicToChatStream("public")
    written = b"".join([stream.feed(piece) for piece in pieces])
    return written + stream.close(), stream


def chat_of(events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], AnthropicToChatStream]:
    written, stream = translate([sse(one) for one in events])
    data = [one.removeprefix(b"data: ") for one in written.split(b"\n\n") if one]
    return [json.loads(one) for one in data if one != b"[DONE]"], stream


def whole_of(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """What a chat client makes of the chunks of a stream: details with one index are one."""
    message: dict[str, Any] = {"content": "", "reasoning": "", "details": {}, "calls": {}}
    for chunk in chunks:
        delta = chunk["choices"][0]["delta"]
        message["content"] += delta.get("content", "")
        message["reasoning"] += delta.get("reasoning", "")
        for detail in delta.get("reasoning_details", ()):
            known = message["details"].setdefault(detail["index"], {})
            text = known.get("text", "") + detail.get("text", "")
            known |= detail
            if "text" in known:
                known["text"] = text
            del known["index"]
        for call in delta.get("tool_calls", ()):
            known = message["calls"].setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
            known["id"] += call.get("id", "")
            for name, text in call["function"].items():
                known[name] += text
    return message


@given(answers(), st.integers(1, 30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_how_the_bytes_were_cut_changes_nothing(answer: dict[str, Any], size: int, line_end: bytes) -> None:
    body = b"".join(sse(one) for one in events_of(answer))
    cut = body.replace(b"\n", line_end)
    pieces = [cut[at : at + size] for at in range(0, len(cut), size)]
    assert translate(pieces)[0] == translate([body])[0]


@given(answers())
def test_a_stream_and_a_whole_answer_say_the_same(answer: dict[str, Any]) -> None:
    chunks, stream = chat_of(events_of(answer))
    streamed = whole_of(chunks)
    whole = json.loads(anthropic_answer_to_chat(json.dumps(answer).encode(), "public"))
    choice = whole["choices"][0]
    message = choice["message"]
    assert streamed["content"] == (message["content"] or "")
    assert streamed["reasoning"] == message.get("reasoning", "")
    assert list(streamed["details"].values()) == message.get("reasoning_details", [])
    calls = [(one["id"], one["name"], json.loads(one["arguments"])) for one in streamed["calls"].values()]
    assert calls == [
        (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
        for one in message.get("tool_calls", ())
    ]
    last = chunks[-1]
    assert (last["id"], last["choices"][0]["finish_reason"], last["usage"]) == (
        whole["id"],
        choice["finish_reason"],
        whole["usage"],
    )
    assert stream.is_finished
    assert stream.finish_reason == choice["finish_reason"]
    assert stream.has_output is bool(answer["content"])


@given(answers())
def test_the_tap_reads_what_the_translator_says(answer: dict[str, Any]) -> None:
    written, stream = translate([sse(one) for one in events_of(answer)])
    scanner = StreamScanner()
    scanner.feed(written)
    assert scanner.done
    assert (scanner.message_id, scanner.model, scanner.usage) == (stream.message_id, "public", stream.usage)
    assert scanner.finish_reason == stream.finish_reason


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def spoilt(draw: st.DrawFn) -> list[bytes]:
    """A stream some members of which say something else."""
    found = []
    for event in events_of(draw(answers())):
        if draw(st.booleans()):
            holder = event
            inner = [one for one in event.values() if isinstance(one, dict)]
            if inner and draw(st.booleans()):
                holder = draw(st.sampled_from(inner))
            if holder:
                holder[draw(st.sampled_from(sorted(holder)))] = draw(JUNK)
        found.append(b"data: %b\n\n" % json.dumps(event).encode())
    return found


@given(spoilt() | st.lists(st.binary(max_size=20) | JUNK.map(lambda one: b"data: %b\n\n" % json.dumps(one).encode())))
def test_whatever_comes_nothing_is_raised(pieces: list[bytes]) -> None:
    written, stream = translate(pieces)
    scanner = StreamScanner()
    scanner.feed(written)
    assert scanner.at_boundary
    assert scanner.done is stream.is_finished


def test_a_stream_that_breaks_off_looks_unfinished() -> None:
    start = {**BLOCK_START, "content_block": {"type": "text", "text": "Hi"}}
    chunks, stream = chat_of([start])
    assert [one["choices"][0]["delta"] for one in chunks] == [{"content": "Hi"}]
    assert (stream.is_finished, stream.finish_reason, stream.usage, stream.has_output) == (False, None, None, True)


def test_a_stop_reason_is_an_end() -> None:
    """Some services leave out the very last event."""
    chunks, stream = chat_of([{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}])
    assert chunks[0]["choices"] == [{"delta": {}, "finish_reason": "stop"}]
    assert chunks[0]["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert stream.is_finished
    assert not stream.has_output


def test_nothing_follows_the_end() -> None:
    text = {**BLOCK_START, "content_block": {"type": "text", "text": "late"}}
    stream = AnthropicToChatStream("public")
    stream.feed(sse({"type": "message_stop"}))
    assert stream.feed(sse(text) + sse({"type": "message_stop"}) + sse({"type": "error"})) == b""
    assert stream.close() == b""


def test_an_error_ends_it() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    chunks, stream = chat_of([error, {"type": "message_stop"}])
    assert chunks == [
        {
            "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
            "error": {"message": "Overloaded", "code": 529, "type": "error"},
        }
    ]
    assert stream.error is not None
    assert (stream.error.status, stream.error.message) == (529, "Overloaded")
    assert (stream.finish_reason, stream.is_finished, stream.has_output) == ("error", False, False)


def test_deltas_count_in_blocks_of_their_kind_only() -> None:
    deltas = [
        {"type": "signature_delta", "signature": "s"},
        {"type": "thinking_delta", "thinking": "t"},
        {"type": "input_json_delta", "partial_json": "{}"},
        {"type": "citations_delta", "citation": {}},
    ]
    start = {**BLOCK_START, "content_block": {"type": "text", "text": ""}}
    events = [{"type": "content_block_delta", "index": index, "delta": one} for one in deltas for index in (0, 1)]
    assert chat_of([start, *events])[0] == []


@pytest.mark.parametrize(
    "started",
    [
        {"type": "text", "text": "a"},
        {"type": "thinking", "thinking": "a", "signature": ""},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ],
)
def test_a_start_may_bring_everything(started: dict[str, Any]) -> None:
    chunks, _ = chat_of([{**BLOCK_START, "content_block": started}, {"type": "content_block_stop", "index": 0}])
    whole = whole_of(chunks)
    assert (whole["content"] + whole["reasoning"] or whole["calls"][0]["arguments"]) in ("a", '{"a":1}')


@pytest.mark.parametrize("ending", [{"type": "message_stop"}, {**BLOCK_START, "content_block": {"type": "text"}}])
def test_a_call_that_never_ended_has_arguments(ending: dict[str, Any]) -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    chunks, _ = chat_of([{**BLOCK_START, "content_block": call}, ending])
    assert whole_of(chunks)["calls"] == {0: {"id": "t", "name": "f", "arguments": "{}"}}


def test_blocks_that_never_end_are_not_all_kept() -> None:
    stream = AnthropicToChatStream("public")
    for index in range(10 * OPEN_BLOCKS_MAX):
        stream.feed(sse({**BLOCK_START, "index": index, "content_block": {"type": "thinking"}}))
    assert len(stream._blocks) == OPEN_BLOCKS_MAX


def test_an_event_that_is_too_long() -> None:
    """Whatever would have followed, also an end that looks good, the client is told once."""
    stream = AnthropicToChatStream("public")
    stream.feed(sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}))
    assert not stream.too_long
    written = stream.feed(b"data: " + b"x" * (1 << 21))
    assert json.loads(written.removeprefix(b"data: "))["error"]["code"] == 502
    assert stream.too_long
    assert (stream.finish_reason, stream.is_finished) == ("error", False)
    assert stream.feed(b"\n\n" + sse({"type": "message_stop"})) == stream.close() == b""


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"content":"x"}'])
def test_what_is_no_answer(body: bytes) -> None:
    assert anthropic_answer_to_chat(body, "public") == b""


def test_an_error_with_a_status_of_success() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}'
    expected = {"error": {"message": "slow", "code": 429, "type": "error"}}
    assert json.loads(anthropic_answer_to_chat(body, "public")) == expected
    assert json.loads(anthropic_error_to_chat(body, 429)) == expected


def test_a_whole_answer_without_usage() -> None:
    answer = json.loads(anthropic_answer_to_chat(b'{"content":[null,{"type":"x"}]}', "public"))
    assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": None}


def test_counts_that_are_none_are_not_reported() -> None:
    _, stream = chat_of([{"type": "message_start", "message": {"usage": {"input_tokens": -1}}}])
    assert stream.usage is None
    _, stream = chat_of([{"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}}])
    assert stream.usage == Usage(0, 0)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("strange", "stop"),
        (None, "stop"),
        (["x"], "stop"),
    ],
)
def test_reasons(reason: Any, expected: str) -> None:
    assert finish_reason(reason) == expected
