import json

from tollway.errors import Code, Problem
from tollway.gateway.client_dialects import MessagesClient
from tollway.http.dialect_responder import DialectResponder
from tollway.wire.frames import KEEP_ALIVE_COMMENT
from unit.gateway.fakes import NOW
from unit.http.connection import Transport

REQUEST = b'{"model":"a/b","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
JSON = b"content-type: application/json\r\n"


class Asked:
    """A client of Messages whose request was read, unless it is `early`."""

    def __init__(self, early: bool = False) -> None:
        self.transport = Transport()
        self.done: list[bool] = []
        dialect = MessagesClient()
        if not early:
            dialect.read(REQUEST, "req1", NOW)
        self.responder = DialectResponder(
            dialect, self.transport, True, True, False, lambda: b"date: now\r\n", self.done.append
        )

    @property
    def status(self) -> int:
        return int(self.transport.written.split(b" ")[1])

    @property
    def body(self) -> bytes:
        return self.transport.written.partition(b"\r\n\r\n")[2]


def test_a_refusal_before_anything_was_read() -> None:
    asked = Asked(early=True)
    asked.responder.refuse(Problem(Code.OVERLOADED, retry_after_s=1), "req1")
    assert asked.status == 503
    assert b"retry-after: 1\r\n" in asked.transport.written
    assert b"x-request-id: req1\r\n" in asked.transport.written
    assert json.loads(asked.body)["error"]["type"] == "overloaded_error"
    assert asked.done == [True]


def test_a_whole_answer_and_one_that_is_none() -> None:
    asked = Asked()
    answer = b'{"id":"c","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
    asked.responder.answer(200, JSON, answer)
    assert json.loads(asked.body)["content"][0]["text"] == "hi"
    none = Asked()
    none.responder.answer(200, JSON, b"{}")
    assert none.status == 502
    assert json.loads(none.body)["type"] == "error"


def test_an_upstreams_own_words() -> None:
    asked = Asked()
    asked.responder.answer(418, JSON, b'{"error":{"message":"I am a teapot."}}')
    assert asked.status == 418
    assert json.loads(asked.body)["error"] == {"type": "invalid_request_error", "message": "I am a teapot."}


def test_a_stream() -> None:
    asked = Asked()
    asked.responder.start_stream(200, b"")
    asked.responder.write(KEEP_ALIVE_COMMENT)
    asked.responder.write(b": whoever it is\n\n")
    asked.responder.write(CHUNK)
    asked.responder.write(b"data: {bad\n\n")
    asked.responder.finish_stream(DONE)
    assert asked.body.count(KEEP_ALIVE_COMMENT) == 2
    assert b"whoever" not in asked.body
    assert b"event: content_block_delta\n" in asked.body
    assert asked.body.endswith(b"\n\n\r\n0\r\n\r\n")
    assert b"message_stop" in asked.body
    assert asked.done == [True]


def test_a_stream_that_broke() -> None:
    asked = Asked()
    asked.responder.start_stream(200, b"")
    asked.responder.write(CHUNK)
    asked.responder.break_off(Problem(Code.UPSTREAM_TIMEOUT), "req1")
    assert b'"type":"timeout_error"' in asked.body
    assert b"message_stop" not in asked.body
    assert asked.done == [True]
