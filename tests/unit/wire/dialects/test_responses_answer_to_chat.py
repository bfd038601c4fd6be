"""Whole Responses answers, and errors, as chat."""

import json

import pytest
from hypothesis import given

from tollway.wire.dialects.responses_answer_to_chat import responses_answer_to_chat, responses_error_to_chat
from unit.wire.dialects.answers import CHAT_USAGE, Item, Thought, answers, message_of, response


@given(answers())
def test_a_whole_answer_says_the_same(items: list[Item]) -> None:
    whole = json.loads(responses_answer_to_chat(json.dumps(response(items)).encode(), "acme"))
    assert (whole["id"], whole["model"], whole["usage"]) == ("resp_1", "acme", CHAT_USAGE)
    (choice,) = whole["choices"]
    said = choice["message"]
    expected = message_of(items)
    assert (said["content"] or "", choice["index"]) == (expected["content"], 0)
    calls = [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in said.get("tool_calls", ())]
    assert calls == expected["calls"]
    assert [one["index"] for one in said.get("tool_calls", ())] == list(range(len(calls)))
    found = said.get("reasoning_details", [])
    assert [one for one in found if "text" in one] == [one for one in expected["details"] if "text" in one]
    thoughts = [item for item in items if isinstance(item, Thought)]
    proofs = [item.sealed for item in thoughts for _ in range(len(item.parts) or 1)]
    assert [one["data"] for one in found if "data" in one] == proofs
    assert said.get("reasoning", "") == "".join(one["text"] for one in expected["details"] if "text" in one)


def test_a_whole_answer_has_nothing_that_was_not_said() -> None:
    whole = json.loads(responses_answer_to_chat(b'{"id":"r","output":[null,{"type":"message","content":5}]}', "acme"))
    assert whole == {
        "id": "r",
        "model": "acme",
        "choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": "stop", "index": 0}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def test_refusals_and_raw_reasoning_of_a_whole_answer() -> None:
    raw = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    refused = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}, {"type": "image"}]}
    whole = json.loads(responses_answer_to_chat(json.dumps({"output": [raw, refused]}).encode(), "acme"))
    said = whole["choices"][0]["message"]
    assert (said["reasoning"], said["refusal"], said["content"]) == ("Hm", "No.", None)


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{ "a": 1.0,\n"b": 1e400 }', '{"a":1.0,"b":1e400}'),
        ("{bad", "{bad"),
        ("", "{}"),
        ('{"a":"x  y"}', '{"a":"x  y"}'),
    ],
)
def test_arguments_of_a_whole_answer_are_compact(arguments: str, sent: str) -> None:
    called = {"type": "function_call", "call_id": "c", "name": "ls", "arguments": arguments}
    whole = json.loads(responses_answer_to_chat(json.dumps({"output": [called]}).encode(), "acme"))
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"output":{}}', b"\xff", b"<html>"])
def test_what_is_no_answer(body: bytes) -> None:
    assert responses_answer_to_chat(body, "acme") == b""


def test_a_whole_answer_that_reports_an_error() -> None:
    body = b'{"id":"r","output":[],"error":{"code":"rate_limit_exceeded","message":"Wait."}}'
    assert json.loads(responses_answer_to_chat(body, "acme")) == {
        "error": {"message": "Wait.", "code": 429, "type": "error"}
    }


def test_an_answer_that_failed() -> None:
    body = responses_error_to_chat(b'{"error":{"message":"Bad key.","code":"invalid_api_key"}}', 401)
    assert json.loads(body) == {"error": {"message": "Bad key.", "code": 401, "type": "error"}}
    assert json.loads(responses_error_to_chat(b"", 503))["error"]["message"] == "Service Unavailable"
