"""Responses streams as chat streams: the same however they are cut, and nothing of what the model made is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.details import OBSCURED, OPENAI
from tollway.wire.dialects.phases import phase_key
from tollway.wire.dialects.responses_answer_to_chat import responses_answer_to_chat
from tollway.wire.dialects.responses_stream_to_chat import (
    OPEN_ITEMS_MAX,
    PHASES_MAX,
    ResponsesToChatStream,
)
from tollway.wire.usage import Usage
from unit.wire.dialects.answers import (
    CHAT_USAGE,
    CUTS,
    Call,
    Item,
    Speech,
    Thought,
    answers,
    chunks_of,
    cut,
    heard,
    message_of,
    response,
    stream_bytes,
    told,
)


def translate(pieces: list[bytes], **options: Any) -> tuple[bytes, ResponsesToChatStream]:
    stream = ResponsesToChatStream("acme", **options)
    return b"".join([stream.feed(piece) for piece in pieces]) + stream.close(), stream


def translated(events: list[dict[str, Any]], **options: Any) -> tuple[bytes, ResponsesToChatStream]:
    return translate([stream_bytes(events)], **options)


def facts(stream: ResponsesToChatStream) -> tuple[Any, ...]:
    names = ("usage", "finish_reason", "error", "message_id", "is_finished", "has_output", "too_long", "phases")
    return tuple(getattr(stream, name) for name in names)


def text(piece: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": piece}


# Streams


@given(answers())
def test_nothing_is_lost(items: list[Item]) -> None:
    written, stream = translated(told(items))
    assert heard(written) == message_of(items)
    has_calls = any(isinstance(item, Call) for item in items)
    reason = "tool_calls" if has_calls else "stop"
    finish = chunks_of(written)[-1]
    assert (finish["id"], finish["usage"]) == ("resp_1", CHAT_USAGE)
    assert finish["choices"] == [{"delta": {}, "finish_reason": reason}]
    assert written.endswith(b"data: [DONE]\n\n")
    assert facts(stream)[:6] == (Usage(100, 30, 60, 0, 12), reason, None, "resp_1", True, bool(items))


@given(answers(), CUTS, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans())
def test_cuts_and_line_ends_change_nothing(items: list[Item], at: list[int], line_end: bytes, legacy: bool) -> None:
    events = told(items)
    whole = translated(events, is_legacy=legacy)
    pieces = cut(stream_bytes(events).replace(b"\n", line_end), at)
    written, stream = translate(pieces, is_legacy=legacy)
    assert (written, facts(stream)) == (whole[0], facts(whole[1]))


@given(st.lists(st.text(min_size=1), max_size=3), st.text(min_size=1))
def test_legacy_clients_get_the_obscured_format(pieces: list[str], sealed: str) -> None:
    items: list[Item] = [Thought("rs_1", (tuple(pieces),), sealed)]
    plain, obscured = translated(told(items))[0], translated(told(items), is_legacy=True)[0]
    formats = [one["format"] for one in heard(obscured)["details"]]
    assert set(formats) == {OBSCURED}
    for one in (details := heard(obscured)["details"]):
        one["format"] = OPENAI
    assert details == heard(plain)["details"]


ODD = st.sampled_from([None, True, 0, -1, 1.5, "", "x", [], ["x"], {}, {"type": "reasoning"}, {"text": 5}])
NAMES = st.sampled_from(["type", "item", "delta", "response", "output_index", "item_id", "summary_index", "error"])


@given(answers(), st.lists(st.tuples(st.integers(0, 40), NAMES, ODD), max_size=5), st.booleans())
def test_malformed_events_are_dropped(items: list[Item], edits: list[tuple[int, str, Any]], with_noise: bool) -> None:
    events = told(items)
    for place, name, value in edits:
        events[place % len(events)][name] = value
    noise = b'data: {"type":\n\ndata: []\n\n: ping\n\ndata: [DONE]\n\ndata: "\xff"\n\n' if with_noise else b""
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    written, stream = translate([line + noise for line in lines])
    for chunk in chunks_of(written):
        assert "choices" in chunk
    assert (b"[DONE]" in written) is stream.is_finished
    assert not (stream.is_finished and stream.error)


@given(answers())
def test_noise_between_events_changes_nothing(items: list[Item]) -> None:
    events = told(items)
    noise = b'data: {"type":"response.web_search_call.searching","delta":"x"}\n\n: ping\n\nevent: x\n\ndata: {\n\n'
    written, _ = translate([stream_bytes([event]) + noise for event in events])
    assert written == translated(events)[0]


def test_nothing_comes_after_the_end() -> None:
    events = told([Speech(("Hi",))])
    assert translated(events + events)[0] == translated(events)[0]


def test_a_stream_that_stops_is_not_finished() -> None:
    written, stream = translated(told([Speech(("Hi",))])[:-1])
    assert b"[DONE]" not in written
    assert (stream.is_finished, stream.has_output, stream.finish_reason, stream.usage) == (False, True, None, None)


def test_a_kept_last_event_counts_when_the_body_ends() -> None:
    body = stream_bytes(told([Speech(("Hi",))]))
    assert translate([body.rstrip(b"\n")])[0] == translate([body])[0]


def test_an_event_that_is_too_long() -> None:
    """Whatever would have followed, the client is told once."""
    stream = ResponsesToChatStream("acme")
    written = stream.feed(b"data: {" + b"x" * (16 << 20) + b"xxxx")
    assert chunks_of(written)[0]["error"]["code"] == 502
    assert stream.too_long
    assert (stream.finish_reason, stream.is_finished) == ("error", False)
    assert stream.feed(b"\n\n" + stream_bytes(told([Speech(("Hi",))]))) + stream.close() == b""


def test_what_is_too_long_behind_the_end_is_nobodys_business() -> None:
    stream = ResponsesToChatStream("acme")
    stream.feed(stream_bytes(told([])))
    assert stream.feed(b"data: {" + b"x" * (17 << 20)) + stream.close() == b""
    assert stream.is_finished


@pytest.mark.parametrize(
    ("members", "items", "reason"),
    [
        ({}, [], "stop"),
        ({"incomplete_details": {"reason": "max_output_tokens"}}, [Call("c", "ls", ("{",))], "length"),
        ({"incomplete_details": {"reason": "content_filter"}}, [], "content_filter"),
        ({"incomplete_details": {"reason": "steered"}}, [], "stop"),
        ({"incomplete_details": {"reason": "steered"}}, [Call("c", "ls", ("{}",))], "tool_calls"),
        ({"incomplete_details": {"reason": ["x"]}}, [], "stop"),
    ],
)
def test_finish_reasons(members: dict[str, Any], items: list[Item], reason: str) -> None:
    events = told(items, **members)
    events[-1]["type"] = "response.incomplete" if members else "response.completed"
    assert translated(events)[1].finish_reason == reason
    whole = json.loads(responses_answer_to_chat(json.dumps(response(items, **members)).encode(), "acme"))
    assert whole["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize(
    ("event", "message", "status"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Wait."}, "Wait.", 429),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}, "No.", 400),
        ({"type": "error", "error": {"code": "other", "type": "server_overloaded", "message": "Full."}}, "Full.", 503),
        ({"type": "error", "error": {"code": ["x"], "message": ["x"]}}, "Internal Server Error", 500),
        ({"type": "error"}, "Internal Server Error", 500),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Bad."}}}, "Bad.", 500),
        ({"type": "response.failed", "response": None}, "Internal Server Error", 500),
    ],
)
def test_reported_errors(event: dict[str, Any], message: str, status: int) -> None:
    written, stream = translated([text("Hi"), event, text("!")])
    _, last = chunks_of(written)
    assert last["error"] == {"message": message, "code": status, "type": "error"}
    assert (stream.finish_reason, stream.is_finished, b"[DONE]" in written) == ("error", False, False)
    assert stream.error
    assert (stream.error.message, stream.error.status) == (message, status)


def test_a_failed_response_was_still_used() -> None:
    """What was produced before is paid for."""
    failed = {"type": "response.failed", "response": response([], error={"message": "Bad."})}
    assert translated([failed])[1].usage == Usage(100, 30, 60, 0, 12)


def test_secrets_in_errors_are_not_told() -> None:
    written, _ = translated([{"type": "error", "message": "Incorrect API key provided: sk-" + "a1B2" * 12}])
    assert b"a1B2" not in written


def test_refusals_and_raw_reasoning() -> None:
    raw = {"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": "Hm"}
    refusal = {"type": "response.refusal.delta", "delta": "No."}
    thought, refused = chunks_of(translated([raw, refusal, {**refusal, "delta": ""}])[0])
    assert thought["choices"][0]["delta"]["reasoning"] == "Hm"
    assert refused["choices"][0]["delta"] == {"refusal": "No."}


# Reasoning, part by part


def reasoning(item: dict[str, Any], *between: dict[str, Any]) -> list[dict[str, Any]]:
    added = {"type": "response.output_item.added", "item": {"type": "reasoning", "id": "rs_1", **item}}
    done = {"type": "response.output_item.done", "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "E"}}
    return [added, *between, done]


def part(kind: str, place: int, **members: Any) -> dict[str, Any]:
    return {"type": f"response.reasoning_summary_{kind}", "item_id": "rs_1", "summary_index": place, **members}


def details(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    found = [one["choices"][0]["delta"]["reasoning_details"][0] for one in chunks_of(translated(events)[0])]
    return [(one.get("text") or one["data"], one["index"]) for one in found]


def test_each_part_is_a_detail_of_its_own() -> None:
    first = [part("part.added", 0), part("text.delta", 0, delta="a"), part("text.delta", 0, delta="b")]
    second = [part("part.done", 0), part("part.added", 1), part("text.delta", 1, delta="c")]
    assert details(reasoning({}, *first, *second)) == [("a", 0), ("b", 0), ("c", 1), ("E", 2)]


def test_a_part_that_was_never_done_has_its_own_proof() -> None:
    parts = [part("part.added", 1), part("part.added", 2)]
    assert details(reasoning({}, *parts)) == [("E", 0), ("E", 1), ("E", 2)]


def test_an_item_that_begins_with_its_proof() -> None:
    """No text detail is opened then: text belongs to the first one."""
    parts = [part("part.added", 0), part("text.delta", 0, delta="a"), part("part.done", 0), part("part.added", 1)]
    assert details(reasoning({"encrypted_content": "B"}, *parts)) == [("B", 0), ("a", 0), ("B", 1), ("E", 2)]


def test_reasoning_that_was_not_announced() -> None:
    _, done = reasoning({})
    assert details([done]) == [("E", 0)]
    assert details([part("part.added", 1), part("part.done", 1), done]) == [("E", 0)]
    assert details(reasoning({}, part("part.done", 7))) == [("E", 0)]
    assert chunks_of(translated([{**done, "item": {"type": "reasoning", "id": "rs_1"}}])[0]) == []


# Calls


def call(kind: str, **members: Any) -> dict[str, Any]:
    item = {"type": "function_call", "call_id": "call_1", "name": "ls", **members}
    return {"type": f"response.output_item.{kind}", "output_index": 3, "item": item}


def test_a_call_that_was_not_announced_is_told_at_once() -> None:
    written, stream = translated([call("done", arguments='{"a":1}'), told([])[-1]])
    assert heard(written)["calls"] == [("call_1", "ls", '{"a":1}')]
    assert len(chunks_of(written)) == 2
    assert stream.finish_reason == "tool_calls"


def test_arguments_that_come_only_at_the_end() -> None:
    written, _ = translated([call("added"), call("done", arguments='{"a":1}')])
    assert heard(written)["calls"] == [("call_1", "ls", '{"a":1}')]


def test_a_call_that_never_ends_has_arguments_all_the_same() -> None:
    written, _ = translated([call("added"), told([])[-1]])
    assert heard(written)["calls"] == [("call_1", "ls", "{}")]


def test_fragments_of_an_unknown_call_are_dropped() -> None:
    fragment = {"type": "response.function_call_arguments.delta", "output_index": 9, "delta": "{}"}
    assert translated([call("added"), fragment])[0] == translated([call("added")])[0]


def test_parallel_calls_may_be_mixed() -> None:
    def of(place: int, event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "output_index": place}

    fragment = {"type": "response.function_call_arguments.delta"}
    events = [of(0, call("added")), of(1, call("added", call_id="call_2"))]
    events += [of(1, {**fragment, "delta": "[2]"}), of(0, {**fragment, "delta": "[1]"})]
    assert heard(translated(events)[0])["calls"] == [("call_1", "ls", "[1]"), ("call_2", "ls", "[2]")]


def test_what_is_open_at_once_is_bounded() -> None:
    events = [{**call("added"), "output_index": place} for place in range(OPEN_ITEMS_MAX + 5)]
    written, stream = translated(events)
    assert len(chunks_of(written)) == OPEN_ITEMS_MAX == len(stream._calls)
    parts = [part("part.added", place) for place in range(1, OPEN_ITEMS_MAX + 5)]
    assert len(details(reasoning({}, *parts))) == OPEN_ITEMS_MAX


# Phases


def message(phase: Any, *texts: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": one} for one in texts]
    return {"type": "response.output_item.done", "item": {"type": "message", "phase": phase, "content": content}}


def test_phases_are_kept_for_the_next_request() -> None:
    _, stream = translated([message("commentary", "a", "b"), message("final_answer", "c")], user_id="u", task_id="t")
    assert stream.phases == {
        phase_key("u", "t", ["a", "b"]): "commentary",
        phase_key("u", "t", ["c"]): "final_answer",
    }


@pytest.mark.parametrize("phase", [None, 5, "", "x" * 65, "a\0b", ["x"]])
def test_a_phase_that_cannot_be_stored_is_none(phase: Any) -> None:
    assert translated([message(phase, "a")])[1].phases == {}


def test_the_first_phase_of_equal_messages_stays_and_there_are_not_many() -> None:
    events = [message("commentary", "a"), message("final_answer", "a")]
    assert list(translated(events)[1].phases.values()) == ["commentary"]
    many = [message("commentary", str(number)) for number in range(PHASES_MAX + 5)]
    assert len(translated(many)[1].phases) == PHASES_MAX
