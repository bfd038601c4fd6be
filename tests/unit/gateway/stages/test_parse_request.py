import pytest
from msgspec.structs import replace

from tollway.errors import Code, Problem
from tollway.gateway.client_dialects import MessagesClient
from tollway.gateway.stages import parse_request
from unit.gateway.fakes import body_of, exchange, services


def test_a_request_is_read() -> None:
    request = parse_request.run(exchange(body_of(stream=True)), services())
    assert not isinstance(request, Problem)
    assert (request.model, request.stream) == ("vendor/name", True)


def test_a_request_in_another_dialect_becomes_a_chat_request() -> None:
    one = exchange()
    body = b'{"model":"vendor/name","max_tokens":7,"messages":[{"role":"user","content":"hi"}]}'
    one.inbound = replace(one.inbound, body=body, dialect=MessagesClient())
    request = parse_request.run(one, services())
    assert not isinstance(request, Problem)
    assert (request.model, request.completion_tokens_max, request.messages) == ("vendor/name", 7, 1)
    assert one.inbound.body == body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{bad", Code.INVALID_REQUEST),
        (b'{"model":"m","messages":[],"mcp_servers":[{}]}', Code.UNSUPPORTED_CONTENT),
        (b'{"messages":[]}', Code.MODEL_NOT_FOUND),
    ],
)
def test_what_cannot_become_one_is_refused(body: bytes, code: Code) -> None:
    one = exchange()
    one.inbound = replace(one.inbound, body=body, dialect=MessagesClient())
    problem = parse_request.run(one, services())
    assert isinstance(problem, Problem)
    assert (problem.code, problem.http_status in (400, 404)) == (code, True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.INVALID_REQUEST),
        (b"{bad", Code.INVALID_REQUEST),
        (body_of(n=9), Code.INVALID_REQUEST),
        (body_of(model=""), Code.MODEL_NOT_FOUND),
        (body_of(model=None), Code.MODEL_NOT_FOUND),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, code: Code) -> None:
    problem = parse_request.run(exchange(body), services())
    assert isinstance(problem, Problem)
    assert problem.code is code
