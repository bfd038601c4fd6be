"""Chat answers as Responses answers, checked with the official client and its types."""

import json
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tollway.wire.dialects.chat_answer_to_responses import ChatToResponsesStream, chat_answer_to_responses
from tollway.wire.dialects.content import message_text
from tollway.wire.dialects.details import ANTHROPIC, OPENAI
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.responses_answer_to_chat import responses_answer_to_chat
from tollway.wire.dialects.responses_items_to_chat import read_items
from tollway.wire.dialects.responses_output import ResponseHead
from tollway.wire.dialects.responses_stream_to_chat import ResponsesToChatStream
from tollway.wire.usage import Usage
from unit.wire.dialects.answers import (
    CUTS,
    Call,
    Item,
    Speech,
    Thought,
    answers,
    cut,
    heard,
    message_of,
    response,
    stream_bytes,
    told,
)
from unit.wire.dialects.test_responses_output import events

HEAD = ResponseHead("resp_1", 1_700_000_000, "acme", {})
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
DONE = b"data: [DONE]\n\n"


def translate(pieces: list[bytes], **options: Any) -> tuple[bytes, ChatToResponsesStream]:
    stream = ChatToResponsesStream(HEAD, **options)
    return b"".join([stream.feed(piece) for piece in pieces]) + stream.close(), stream


def chunk(delta: dict[str, Any], reason: str | None = None, **members: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    return b"data: %b\n\n" % json.dumps({"id": "gen-1", "model": "acme-2", "choices": choices, **members}).encode()


def chat_stream(items: list[Item]) -> bytes:
    """As our own translator writes it."""
    return ResponsesToChatStream("acme-2").feed(stream_bytes(told(items)))


def last(stream: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = events(stream)[-1]["response"]
    return answer


@given(answers())
def test_nothing_is_lost_on_the_way_there_and_back(items: list[Item]) -> None:
    written, stream = translate([chat_stream(items)])
    back = ResponsesToChatStream("acme-2")
    assert heard(back.feed(written)) == message_of(items)
    assert (back.usage, back.finish_reason) == (stream.usage, stream.finish_reason)
    assert stream.usage == Usage(100, 30, 60, 0, 12)


@given(answers(), CUTS)
def test_cuts_change_nothing(items: list[Item], at: list[int]) -> None:
    stream = chat_stream(items)
    written, translator = translate(cut(stream, at))
    whole, other = translate([stream])
    assert written == whole
    assert (translator.usage, translator.finish_reason) == (other.usage, other.finish_reason)


@given(answers())
def test_events_are_those_of_the_api(items: list[Item]) -> None:
    found = events(translate([chat_stream(items)])[0])
    for event in found:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    for event in found:
        if event["type"].endswith("_text.done"):
            kind = event["type"].replace(".done", ".delta")
            where = ("item_id", "content_index", "summary_index")
            same = [one for one in found if one["type"] == kind and all(one.get(k) == event.get(k) for k in where)]
            assert event["text"] == "".join(one["delta"] for one in same)


@given(answers())
def test_the_output_is_the_input_of_the_next_request(items: list[Item]) -> None:
    expected = message_of(items)
    messages = read_items(last(translate([chat_stream(items)])[0])["output"])
    assert "".join(message_text(message["content"]) for message in messages) == expected["content"]
    details = [one for message in messages for one in message.get("reasoning_details", ())]
    assert [{k: v for k, v in one.items() if k != "index"} for one in details] == expected["details"]
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls] == expected["calls"]


@given(answers())
def test_a_whole_answer_says_the_same_as_a_stream(items: list[Item]) -> None:
    body = responses_answer_to_chat(json.dumps(response(items)).encode(), "acme-2")
    whole = json.loads(chat_answer_to_responses(body, HEAD))
    Response.model_validate(whole)
    assert (whole["model"], whole["status"], whole["created_at"]) == ("acme-2", "completed", 1_700_000_000)
    ended = last(translate([chat_stream(items)])[0])
    assert whole["usage"] == ended["usage"]
    assert said(whole) == said(ended)


def said(answer: dict[str, Any]) -> tuple[Any, ...]:
    """Without regard to the order between kinds, which a whole chat answer does not keep."""
    output = answer["output"]
    calls = [(one["call_id"], one["name"], one["arguments"]) for one in output if one["type"] == "function_call"]
    text = "".join(part["text"] for one in output if one["type"] == "message" for part in one["content"])
    thoughts = [
        (one["id"], [part["text"] for part in one["summary"]], one["encrypted_content"])
        for one in output
        if one["type"] == "reasoning"
    ]
    return calls, text, thoughts


def test_reasoning_of_another_model_goes_through_a_client_unharmed() -> None:
    detail = {"type": "reasoning.text", "index": 0, "format": ANTHROPIC}
    deltas = [
        chunk({"reasoning": "H", "reasoning_details": [{**detail, "text": "H"}]}),
        chunk({"reasoning": "m", "reasoning_details": [{**detail, "text": "m"}]}),
        chunk({"reasoning": "", "reasoning_details": [{**detail, "text": "", "signature": "SIG"}]}),
        chunk({"reasoning_details": [{**detail, "type": "reasoning.encrypted", "data": "D", "index": 1}]}),
        chunk({"content": "Hi"}, "stop"),
    ]
    (message,) = read_items(last(translate([*deltas, DONE])[0])["output"])
    assert message == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "SIG", "index": 0, "format": ANTHROPIC},
            {"type": "reasoning.encrypted", "data": "D", "index": 1, "format": ANTHROPIC},
        ],
    }


def test_a_proof_that_comes_behind_the_text_finds_its_reasoning_again() -> None:
    mark = {"format": OPENAI, "id": "rs_1"}
    deltas = [
        chunk({"reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0, **mark}]}),
        chunk({"content": "Hi"}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "E", "index": 1, **mark}]}, "stop"),
    ]
    messages = read_items(last(translate([*deltas, DONE])[0])["output"])
    details = [one for message in messages for one in message.get("reasoning_details", ())]
    assert details == [{"type": "reasoning.encrypted", "data": "E", "index": 0, **mark}]


def test_plain_reasoning() -> None:
    written, _ = translate(
        [chunk({"reasoning": "H"}), chunk({"reasoning_content": "m"}), chunk({"content": "Hi"}), DONE]
    )
    thought, _ = last(written)["output"]
    assert thought == {"id": "rs_1_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}


def test_usage_that_follows_the_finish_reason() -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"cost":0.25}}\n\n'
    pieces = [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi"}, "stop"), usage]
    written, stream = translate([*pieces, DONE])
    assert last(written)["usage"]["total_tokens"] == 10
    assert translate([*pieces, chunk({}), DONE])[0] == written
    assert stream.is_finished
    assert translate(pieces)[0] == written  # the upstream forgot `[DONE]`
    assert translate([*pieces, DONE.rstrip(b"\n")])[0] == written


def test_a_stream_that_stops_is_not_finished() -> None:
    written, stream = translate([chunk({"content": "Hi"})])
    assert events(written)[-1]["type"] == "response.output_text.delta"
    assert not stream.is_finished
    ended = stream.fail(ProviderError("Broken.", 502))
    assert last(ended)["error"] == {"code": "server_error", "message": "Broken."}
    assert stream.fail(ProviderError("Broken.", 502)) == b""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (b'data: {"error":{"message":"Wait.","code":429}}\n\n', {"code": "rate_limit_exceeded", "message": "Wait."}),
        (
            chunk({}, "error"),
            {"code": "server_error", "message": "Internal Server Error"},
        ),
    ],
)
def test_an_error_ends_the_answer(error: bytes, expected: dict[str, str]) -> None:
    written, stream = translate([chunk({"content": "Hi"}), error, chunk({"content": "!"}, "stop"), DONE])
    answer = last(written)
    assert (answer["status"], answer["error"]) == ("failed", expected)
    assert answer["output"][0]["content"][0]["text"] == "Hi"
    assert (stream.is_finished, stream.finish_reason) == (False, "error")


def test_an_error_before_anything_else() -> None:
    found = events(translate([b'data: {"error":"Bad."}\n\n'])[0])
    assert [one["type"] for one in found] == ["response.created", "response.in_progress", "response.failed"]


def test_an_answer_that_says_nothing() -> None:
    assert last(translate([DONE])[0])["output"] == []
    assert translate([b""])[0] == b""


def test_memory_is_bounded() -> None:
    pieces = [chunk({"content": "x" * 100})] * 100
    written, stream = translate([*pieces, DONE], kept_bytes_max=2_000)
    assert last(written)["error"]["message"] == "The answer is too long."
    assert stream.error
    assert stream._writer.kept_bytes < 3_000


def test_a_chunk_that_is_too_long() -> None:
    """Whatever would have followed, also an end that looks good, the client is told once."""
    stream = ChatToResponsesStream(HEAD)
    written = stream.feed(chunk({"content": "Hi"}, "stop") + b"data: {" + b"x" * (2 << 20))
    assert last(written)["error"]["message"] == "The upstream sent an event that is too long."
    assert (stream.too_long, stream.is_finished) == (True, False)
    assert stream.feed(b"\n\n" + DONE) + stream.close() == b""


@pytest.mark.parametrize(
    "odd",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b'data: {"choices":5}\n\n',
        b'data: {"choices":[{"delta":5}]}\n\n',
        b'data: {"choices":[{"delta":{"content":5,"tool_calls":5,"reasoning_details":5,"reasoning":5}}]}\n\n',
        b'data: {"choices":[{"index":1,"delta":{"content":"second"}}]}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":-1}}\n\n',
        b": ping\n\n",
    ],
)
def test_malformed_chunks_are_dropped(odd: bytes) -> None:
    first, second = chunk({"content": "H"}), chunk({"content": "i"}, "stop")
    assert translate([first, odd, second, odd, DONE])[0] == translate([first, second, DONE])[0]


def test_calls_without_index_or_id() -> None:
    call = {"function": {"name": "ls", "arguments": "{}"}}
    (item,) = last(translate([chunk({"tool_calls": [call, None]}, "tool_calls"), DONE])[0])["output"][:1]
    assert (item["call_id"], item["name"], item["arguments"]) == ("call_1_0", "ls", "{}")


def test_whole_answers_of_other_kinds() -> None:
    length = {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "length"}]}
    answer = json.loads(chat_answer_to_responses(json.dumps(length).encode(), HEAD))
    assert (answer["model"], answer["status"], answer["usage"]) == ("acme", "incomplete", None)
    assert answer["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]
    failed = json.loads(chat_answer_to_responses(b'{"error":{"message":"Bad."}}', HEAD))
    assert (failed["status"], failed["error"]["message"], failed["output"]) == ("failed", "Bad.", [])
    parts = {"choices": [{"message": {"content": [{"type": "text", "text": "Hi"}]}}]}
    answer = json.loads(chat_answer_to_responses(json.dumps(parts).encode(), HEAD))
    assert answer["output"][0]["content"][0]["text"] == "Hi"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices":[]}', b"\xff"])
def test_what_is_no_answer(body: bytes) -> None:
    assert chat_answer_to_responses(body, HEAD) == b""


# The official client

ITEMS: list[Item] = [
    Thought("rs_1", (("Pl", "an"),), "ENC"),
    Speech(("Hel", "lo")),
    Call("call_1", "ls", ('{"a":', "1}")),
]


def client(content_type: str, body: bytes) -> openai.OpenAI:
    answer = httpx2.Response(200, headers={"content-type": content_type}, content=body)
    transport = httpx2.MockTransport(lambda _: answer)
    return openai.OpenAI(api_key="x", base_url="http://test", http_client=httpx2.Client(transport=transport))


def test_the_official_client_reads_the_stream() -> None:
    body = translate([chat_stream(ITEMS)])[0]
    with client("text/event-stream", body) as one, one.responses.stream(model="m", input="Hi") as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert texts == ["Hel", "lo"]
    check(final)
    with client("text/event-stream", body) as one:
        *_, ended = one.responses.create(model="m", input="Hi", stream=True)
    assert ended.type == "response.completed"
    check(ended.response)


def test_the_official_client_reads_the_whole_answer() -> None:
    body = responses_answer_to_chat(json.dumps(response(ITEMS)).encode(), "acme-2")
    with client("application/json", chat_answer_to_responses(body, HEAD)) as one:
        check(one.responses.create(model="m", input="Hi"))


def check(answer: Any) -> None:
    assert (answer.status, answer.output_text, answer.usage.total_tokens) == ("completed", "Hello", 130)
    thought, _, call = answer.output
    assert (thought.id, thought.encrypted_content, thought.summary[0].text) == ("rs_1", "ENC", "Plan")
    assert (call.call_id, call.name, call.arguments) == ("call_1", "ls", '{"a":1}')
