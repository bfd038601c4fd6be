"""Vectors BP1 to BP13 of request-path, through the running program."""

import pytest

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import ask, request
from vectors.upstream import Upstream

PATH = b"/api/gateway/chat/completions"
INVALID = {
    "error": "Invalid request",
    "message": "Could not parse request body. Please ensure it is valid JSON.",
}
NOT_FOUND = {"error": "Model not found", "message": "The requested model could not be found."}


def _messages(more: bytes = b"") -> bytes:
    return b'{"model":"a/b","messages":[{"role":"user","content":"hi"}]%b}' % more


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param([b"", b"{bad", b"null", b"123", b'"x"', b"true", b"NaN", b'{"a":1,}'], id="request:BP1"),
        pytest.param([b"[]"], id="request:BP2"),
        pytest.param(
            [
                b'{"model":"a/b","temperature":1e400}',
                b'\xef\xbb\xbf{"model":"a/b"}',
                b'{"model":"a/b","model":"c/d"}',
            ],
            id="request:BP3",
        ),
        pytest.param([b'{"model":"a/b","messages":"hi"}', b'{"model":"a/b","messages":[1]}'], id="request:BP11"),
    ],
)
def test_invalid_requests(vector_gateway: Gateway, upstream: Upstream, caller: Account, bodies: list[bytes]) -> None:
    for body in bodies:
        answer = ask(vector_gateway, request(body, PATH, caller.headers))
        assert (answer.status, answer.json) == (400, INVALID), body
    assert upstream.is_untouched


@pytest.mark.parametrize("kind", [pytest.param("text/plain", id="request:BP4")])
def test_the_content_type_is_not_looked_at(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, kind: str
) -> None:
    headers = {**caller.headers, "Content-Type": kind}
    assert ask(vector_gateway, request(_messages(), PATH, headers)).status == 200
    assert upstream.next().headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("bodies", "options"),
    [
        pytest.param([b'{"model":"a/b","messages":[]}'], {"include_usage": True}, id="request:BP5"),
        pytest.param(
            [_messages(b',"stream_options":{"include_usage":false,"x":1}')],
            {"include_usage": True, "x": 1},
            id="request:BP6",
        ),
        pytest.param(
            [_messages(b',"stream_options":null'), _messages(b',"stream_options":"y"')],
            {"include_usage": True},
            id="request:BP7",
        ),
    ],
)
def test_usage_is_always_asked_for(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, bodies: list[bytes], options: dict[str, object]
) -> None:
    for body in bodies:
        assert ask(vector_gateway, request(body, PATH, caller.headers)).status == 200
        sent = upstream.next()
        assert sent.body["stream_options"] == options
        assert "stream" not in sent.body


@pytest.mark.parametrize("body", [pytest.param(_messages(b',"models":["a/b","c/d"]'), id="request:BP8")])
def test_the_list_of_models_is_dropped(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, body: bytes
) -> None:
    assert ask(vector_gateway, request(body, PATH, caller.headers)).status == 200
    assert "models" not in upstream.next().body


@pytest.mark.parametrize(
    "bodies",
    [pytest.param([b"{}", b'{"model":""}', b'{"model":"   "}', b'{"model":123}', b'{"model":null}'], id="request:BP9")],
)
def test_no_model_is_an_unknown_model(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, bodies: list[bytes]
) -> None:
    for body in bodies:
        answer = ask(vector_gateway, request(body, PATH, caller.headers))
        assert (answer.status, answer.json) == (404, NOT_FOUND), body
    assert upstream.is_untouched


@pytest.mark.parametrize("spelling", [pytest.param("  Anthropic/Claude-Sonnet-4.6 ", id="request:BP10")])
def test_the_callers_spelling_is_sent(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, spelling: str
) -> None:
    body = {"model": spelling, "messages": [{"role": "user", "content": "hi"}]}
    assert ask(vector_gateway, request(body, PATH, caller.headers)).status == 200
    assert upstream.next().body["model"] == "Anthropic/Claude-Sonnet-4.6"
    line = vector_gateway.wait_for('{"event":"request"')
    while '"model":"anthropic/claude-sonnet-4.6"' not in line:  # the resolved one
        line = vector_gateway.wait_for('{"event":"request"')


@pytest.mark.parametrize("body", [pytest.param(b'{"model":"a/b"}', id="request:BP12")])
def test_no_messages_pass(vector_gateway: Gateway, upstream: Upstream, caller: Account, body: bytes) -> None:
    assert ask(vector_gateway, request(body, PATH, caller.headers)).status == 200
    assert "messages" not in upstream.next().body


@pytest.mark.parametrize("body", [pytest.param(b"{bad", id="request:BP13")])
def test_parsing_comes_before_the_address(proxied_gateway: Gateway, upstream: Upstream, body: bytes) -> None:
    """A trusted proxy that names no client."""
    answer = ask(proxied_gateway, request(body, PATH))
    assert (answer.status, answer.json) == (400, INVALID)
    answer = ask(proxied_gateway, request(_messages(), PATH))
    assert (answer.status, answer.json) == (400, {"error": "Unable to determine client IP"})
    assert upstream.is_untouched
