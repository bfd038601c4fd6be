"""Chat answers as Messages: our own and other gateways' streams, cut anywhere, and whole ones."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.anthropic_answer_to_chat import AnthropicToChatStream, anthropic_answer_to_chat
from tollway.wire.dialects.chat_answer_to_anthropic import (
    ChatToAnthropicStream,
    chat_answer_to_anthropic,
    chat_error_to_anthropic,
    stop_reason,
)
from tollway.wire.usage import Usage
from unit.wire.dialects.messages import answers, events_of, in_chat_order, merged, message_of, sse

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}, "cost": 0.1}


def chunk(finish_reason: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: %b\n\n" % json.dumps({"id": "gen-1", "model": "x", "choices": [choice]}).encode()


def call(index: int | None = 0, id_: str = "", name: str = "", arguments: str = "") -> dict[str, Any]:
    named = {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in named.items() if value not in (None, "")}


def translate(pieces: list[bytes]) -> tuple[bytes, ChatToAnthropicStream]:
    stream = ChatToAnthropicStream("msg_1", "public")
    return b"".join([stream.feed(piece) for piece in pieces]) + stream.close(), stream


def message(*chunks: bytes) -> dict[str, Any]:
    return message_of(translate([*chunks, DONE])[0])


def as_chat(answer: dict[str, Any]) -> bytes:
    stream = AnthropicToChatStream("public")
    return stream.feed(b"".join(sse(one) for one in events_of(answer))) + stream.close()


@given(answers())
def test_a_stream_there_and_back(answer: dict[str, Any]) -> None:
    """What an Anthropic client would have got from Anthropic, it gets by way of chat."""
    written, stream = translate([as_chat(answer)])
    found = message_of(written)
    assert found["content"] == merged(answer["content"])
    for name in ("stop_reason", "usage", "id"):
        assert found[name] == answer[name]
    assert found["model"] == "public"
    assert stream.is_finished


@given(answers())
def test_a_whole_answer_there_and_back(answer: dict[str, Any]) -> None:
    chat = anthropic_answer_to_chat(json.dumps(answer).encode(), "public")
    found = json.loads(chat_answer_to_anthropic(chat, "msg_1", "public"))
    assert found == {**answer, "content": in_chat_order(answer["content"]), "model": "public"}


@given(answers(), st.integers(1, 30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_how_the_bytes_were_cut_changes_nothing(answer: dict[str, Any], size: int, line_end: bytes) -> None:
    body = as_chat(answer).replace(b"\n", line_end)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert translate(pieces)[0] == translate([body])[0]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = ["content", "reasoning", "reasoning_details", "tool_calls", "refusal", "role"]
CALLS = st.builds(call, st.none() | st.integers(0, 2), *(st.sampled_from(["", one]) for one in ("a", "f", "{}")))
DELTAS = st.dictionaries(st.sampled_from(NAMES), JUNK | st.lists(CALLS))
CHUNKS = st.builds(
    lambda choices, usage, error: b"data: %b\n\n" % json.dumps({"choices": choices, "usage": usage, **error}).encode(),
    JUNK | st.lists(st.builds(lambda delta, reason: {"delta": delta, "finish_reason": reason}, DELTAS | JUNK, JUNK)),
    JUNK | st.just(USAGE),
    st.sampled_from([{}, {}, {}, {"error": None}, {"error": {"message": "m", "code": 5}}, {"error": "x"}]),
)


@given(st.lists(CHUNKS | st.binary(max_size=20) | st.just(DONE), max_size=6))
def test_whatever_comes_nothing_is_raised(pieces: list[bytes]) -> None:
    written, stream = translate(pieces)
    if stream.is_finished:
        assert stream.error is None
        with suppress(json.JSONDecodeError):  # arguments are whatever the upstream made of them
            message_of(written)
    else:
        assert b"event: message_stop" not in written
    assert written.count(b"event: error\n") == (stream.error is not None)


def test_another_gateways_stream() -> None:
    """Usage comes after the finish reason, comments and null members between."""
    found = message(
        b": OPENROUTER PROCESSING\n\n",
        chunk(role="assistant", content="", reasoning=None),
        chunk(reasoning="Hm", reasoning_details=[{"type": "reasoning.summary", "summary": "Hm", "index": 0}]),
        chunk(content="Hi"),
        b'data: {"choices":[{"delta":{"content":"to\n\ndata: 5\n\n',
        chunk("stop", content=""),
        b"data: %b\n\n" % json.dumps({"choices": [], "usage": USAGE}).encode(),
    )
    assert found["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]
    assert found["stop_reason"] == "end_turn"
    assert found["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 3,
    }


def test_the_first_chunk_begins_the_message() -> None:
    stream = ChatToAnthropicStream("msg_1", "public")
    assert stream.feed(chunk(role="assistant", content="")).startswith(b"event: message_start\n")
    assert (stream.finish_reason, stream.usage, stream.is_finished) == (None, None, False)


def test_facts() -> None:
    _, stream = translate([chunk("length"), b"data: %b\n\n" % json.dumps({"usage": USAGE}).encode(), DONE])
    assert stream.usage is not None
    assert (stream.usage.prompt_tokens, stream.finish_reason, stream.is_finished) == (10, "length", True)
    assert isinstance(stream.usage, Usage)


@pytest.mark.parametrize("member", ["reasoning", "reasoning_content"])
def test_plain_reasoning(member: str) -> None:
    expected = [{"type": "thinking", "thinking": "ab", "signature": ""}]
    assert message(chunk(**{member: "a"}), chunk(**{member: "b"}))["content"] == expected
    whole = json.dumps({"choices": [{"message": {member: "ab"}}]}).encode()
    assert json.loads(chat_answer_to_anthropic(whole, "i", "m"))["content"] == expected


def test_details_of_other_models() -> None:
    """Their proofs are not Anthropic's, and would be taken for it when they come back."""
    details = [
        {"type": "reasoning.text", "text": "", "signature": "s", "format": "google-gemini-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1", "index": 1},
    ]
    expected = [{"type": "thinking", "thinking": "Hm", "signature": ""}]
    assert message(chunk(reasoning="Hm", reasoning_details=details))["content"] == expected
    whole = json.dumps({"choices": [{"message": {"reasoning": "Hm", "reasoning_details": details}}]}).encode()
    assert json.loads(chat_answer_to_anthropic(whole, "i", "m"))["content"] == expected


def test_details_with_two_indexes_are_two_blocks() -> None:
    details = [{"type": "reasoning.text", "text": text, "index": index} for index, text in enumerate("ab")]
    content = message(*(chunk(reasoning_details=[one]) for one in details))["content"]
    assert [one["thinking"] for one in content] == ["a", "b"]


@pytest.mark.parametrize(
    "calls",
    [
        [call(0, "a", "f", '{"x":'), call(0, arguments="1}"), call(1, "b", "g", "{}")],
        [call(0, "a", "f"), call(0, arguments='{"x":1}'), call(1, "b", "g", "{}")],
        [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", "{}")],
        [call(None, "a", "f", '{"x":1}'), call(None, "b", "g", "{}")],
        [call(0, "a", "f", '{"x":1}'), call(0, "a", "f"), call(1, "b", "g")],
        [call(0, "a", "f", '{"x":1}'), call(1, "b", "g"), call(0, "a")],
    ],
)
def test_calls(calls: list[dict[str, Any]]) -> None:
    found = message(*(chunk(tool_calls=[one]) for one in calls), chunk("tool_calls"))
    assert [(one["id"], one["name"], one["input"]) for one in found["content"]] == [
        ("a", "f", {"x": 1}),
        ("b", "g", {}),
    ]
    assert found["stop_reason"] == "tool_use"


def test_a_call_without_an_id_gets_one() -> None:
    assert message(chunk(tool_calls=[call(0, "", "f")]))["content"][0]["id"] == "toolu_msg_1_1"


def test_half_a_call_is_no_call() -> None:
    calls = [call(0, "a", "f", "{"), call(1, "b", "g"), call(0, arguments="}")]
    written, stream = translate([*(chunk(tool_calls=[one]) for one in calls), chunk("tool_calls"), DONE])
    assert stream.error is not None
    assert (stream.finish_reason, stream.is_finished) == ("error", False)
    assert written.endswith(
        b'event: error\ndata: {"type":"error","error":{"type":"api_error",'
        b'"message":"The upstream mixed up its tool calls."}}\n\n'
    )


@pytest.mark.parametrize(
    ("failed", "error"),
    [
        ({"error": {"message": "slow", "code": 429}}, {"type": "rate_limit_error", "message": "slow"}),
        ({"error": {"message": "slow", "code": "x"}}, {"type": "api_error", "message": "slow"}),
        (
            {"error": {}, "choices": [{"finish_reason": "error"}]},
            {"type": "api_error", "message": "Internal Server Error"},
        ),
        ({"error": "broken"}, {"type": "api_error", "message": "broken"}),
    ],
)
def test_errors(failed: dict[str, Any], error: dict[str, str]) -> None:
    written, stream = translate(
        [chunk(content="a"), b"data: %b\n\n" % json.dumps(failed).encode(), chunk("stop"), DONE]
    )
    assert json.loads(written.rpartition(b"data: ")[2]) == {"type": "error", "error": error}
    assert stream.error is not None
    assert stream.finish_reason == "error"


def test_a_stream_that_breaks_off_looks_unfinished() -> None:
    written, stream = translate([chunk(content="a")])
    assert b"message_stop" not in written
    assert not stream.is_finished


def test_a_finish_reason_is_an_end() -> None:
    assert message_of(translate([chunk(content="a"), chunk("stop")[:-2]])[0])["stop_reason"] == "end_turn"


def test_nothing_follows_the_end() -> None:
    stream = ChatToAnthropicStream("msg_1", "public")
    stream.feed(chunk("stop") + DONE)
    assert stream.feed(chunk(content="late") + DONE) == stream.close() == b""


def test_a_chunk_that_is_too_long() -> None:
    """Whatever would have followed, also an end that looks good, the client is told once."""
    stream = ChatToAnthropicStream("msg_1", "public")
    written = stream.feed(chunk("stop") + b"data: " + b"x" * (1 << 21))
    assert written.endswith(b'"message":"The upstream sent an event that is too long."}}\n\n')
    assert stream.too_long
    assert stream.error is not None
    assert stream.feed(b"\n\n" + DONE) == stream.close() == b""


def test_other_choices_are_left_out() -> None:
    second = {"index": 1, "delta": {"content": "b"}}
    both = {"choices": [second, {"index": 0, "delta": {"content": "a"}}]}
    only = {"choices": [second]}
    events = [b"data: %b\n\n" % json.dumps(one).encode() for one in (both, only)]
    assert message(*events)["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"choices":[]}'])
def test_what_is_no_answer(body: bytes) -> None:
    assert chat_answer_to_anthropic(body, "i", "m") == b""


def test_a_whole_answer() -> None:
    function = {"name": "f", "arguments": "{bad"}
    choice = {"message": {"content": "a", "tool_calls": [{"id": "c", "function": function}]}, "finish_reason": "stop"}
    assert json.loads(chat_answer_to_anthropic(json.dumps({"choices": [choice]}).encode(), "msg_1", "public")) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "public",
        "content": [
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {"raw_arguments": "{bad"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_failed_answers() -> None:
    expected = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
    body = b'{"error":{"message":"slow","code":429}}'
    assert json.loads(chat_error_to_anthropic(body, 429)) == expected
    assert json.loads(chat_answer_to_anthropic(body, "i", "m")) == expected
    assert json.loads(chat_error_to_anthropic(b"", 401))["error"]["message"] == "Unauthorized"


@pytest.mark.parametrize(
    ("reason", "has_calls", "expected"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),
        ("length", True, "max_tokens"),
        ("tool_calls", True, "tool_use"),
        ("function_call", False, "tool_use"),
        ("content_filter", False, "refusal"),
        ("strange", False, "end_turn"),
        (None, False, "end_turn"),
    ],
)
def test_reasons(reason: Any, has_calls: bool, expected: str) -> None:
    assert stop_reason(reason, has_calls) == expected
