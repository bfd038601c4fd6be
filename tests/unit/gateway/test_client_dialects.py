"""Clients of other dialects, from request to last event. The translators have tests of their own."""

import json
from typing import Any

import pytest
from msgspec.json import encode

from tollway.gateway.client_dialects import ClientDialect, MessagesClient, ResponsesClient
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.json_body import BodyError
from unit.gateway.fakes import NOW

MESSAGES: Any = {"model": "a/b", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
RESPONSES: Any = {"model": "a/b", "max_output_tokens": 9, "stream": True, "input": "hi", "metadata": {"k": "v"}}
BOTH = [pytest.param(MessagesClient, MESSAGES, id="messages"), pytest.param(ResponsesClient, RESPONSES, id="responses")]
CHUNK = b'data: {"id":"c","model":"a/b","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH = b'data: {"id":"c","model":"a/b","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = encode(
    {
        "id": "c",
        "model": "a/b",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
)


def read(new: type[ClientDialect], body: Any) -> ClientDialect:
    dialect = new()
    assert isinstance(dialect.read(encode(body), "req1", NOW), bytes)
    return dialect


def kinds(written: bytes) -> list[str]:
    return [json.loads(line[6:])["type"] for line in written.split(b"\n") if line.startswith(b"data: ")]


@pytest.mark.parametrize(("new", "body"), BOTH)
def test_a_request_becomes_a_chat_request(new: type[ClientDialect], body: Any) -> None:
    chat = new().read(encode(body), "req1", NOW)
    assert isinstance(chat, bytes)
    told = json.loads(chat)
    assert (told["model"], told["stream"], told["messages"]) == ("a/b", True, [{"role": "user", "content": "hi"}])
    assert 9 in (told.get("max_tokens"), told.get("max_completion_tokens"))


@pytest.mark.parametrize(("new", "_"), BOTH)
def test_what_is_none(new: type[ClientDialect], _: Any) -> None:
    with pytest.raises(BodyError):
        new().read(b"[]", "req1", NOW)
    assert isinstance(new().read(b'{"mcp_servers":[{}],"input":1}', "req1", NOW), Refusal)


def test_a_whole_answer() -> None:
    message = json.loads(read(MessagesClient, MESSAGES).whole(WHOLE))
    assert (message["type"], message["content"]) == ("message", [{"type": "text", "text": "hi"}])
    response = json.loads(read(ResponsesClient, RESPONSES).whole(WHOLE))
    assert (response["id"], response["metadata"], response["created_at"]) == (
        "resp_req1",
        {"k": "v"},
        int(NOW.timestamp()),
    )
    for dialect in (read(MessagesClient, MESSAGES), read(ResponsesClient, RESPONSES)):
        assert dialect.whole(b"{}") == b""


@pytest.mark.parametrize(("new", "body"), BOTH)
@pytest.mark.parametrize("end", [DONE, b""], ids=["done", "closed"])
def test_a_stream_ends_once(new: type[ClientDialect], body: Any, end: bytes) -> None:
    dialect = read(new, body)
    written = dialect.feed(CHUNK) + dialect.feed(FINISH) + dialect.feed(end) + dialect.close()
    last = {MessagesClient: "message_stop", ResponsesClient: "response.completed"}[new]  # type: ignore[index]
    assert kinds(written)[-1] == last
    assert kinds(written).count(last) == 1
    assert dialect.fail("late", 500) == dialect.close() == b""
    assert b"[DONE]" not in written


@pytest.mark.parametrize(("new", "body"), BOTH)
@pytest.mark.parametrize("begun", [b"", CHUNK], ids=["at once", "later"])
def test_a_stream_that_fails_says_so(new: type[ClientDialect], body: Any, begun: bytes) -> None:
    dialect = read(new, body)
    dialect.feed(begun)
    written = dialect.fail("It broke.", 502)
    assert kinds(written)[-1] == {MessagesClient: "error", ResponsesClient: "response.failed"}[new]  # type: ignore[index]
    assert b"It broke." in written


@pytest.mark.parametrize(("new", "body"), BOTH)
def test_an_error_of_the_upstream_is_told_once(new: type[ClientDialect], body: Any) -> None:
    dialect = read(new, body)
    written = dialect.feed(b'data: {"error":{"message":"Too much.","code":529},"choices":[]}\n\n')
    assert b"Too much." in written
    assert dialect.feed(b"") + dialect.close() + dialect.fail("It broke.", 502) == b""


def test_an_error_has_the_shape_of_its_dialect() -> None:
    body = b'{"error":{"message":"No.","type":"permission_error","code":"forbidden"}}'
    told = json.loads(MessagesClient().error(body, 403))
    assert told == {"type": "error", "error": {"type": "permission_error", "message": "No."}}
    assert ResponsesClient().error(body, 403) == body
