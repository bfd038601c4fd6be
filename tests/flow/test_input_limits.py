"""Guarantees §12, the rows of HTTP and JSON: each limit at, below and above its value."""

import json

import pytest

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import CHAT, MESSAGES, STORY, Raw, ask, get, request

GOOD = get("/healthz")
CODES = {413: "body_too_large", 414: "uri_too_long", 415: "unsupported_media_type", 431: "headers_too_large"}
COMPLETION_BYTES, API_BYTES = 20 * 1024**2, 1024**2


def _ends_with(connection: Raw, status: int) -> None:
    answer = connection.read()
    assert (answer.status, answer.code) == (status, CODES[status])
    assert answer.headers["connection"] == "close"
    assert connection.rest() == b""


@pytest.mark.parametrize("path", [b"/v1/models", CHAT], ids=["other", "hot"])
def test_request_line(gateway: Gateway, path: bytes) -> None:
    spare = 8_192 - len(b"POST  HTTP/1.1") - len(path)
    with Raw(gateway) as connection:
        for size in (spare - 1, spare):
            raw = request(path=path + b"?" + b"a" * (size - 1))
            assert connection.send(raw).read().status in (404, 405)
        connection.send(request(path=path + b"?" + b"a" * spare), GOOD)
        _ends_with(connection, 414)


@pytest.mark.parametrize("path", [b"/healthz", CHAT], ids=["other", "hot"])
def test_one_header_value(gateway: Gateway, path: bytes) -> None:
    with Raw(gateway) as connection:
        for size in (8_191, 8_192):
            assert connection.send(request(path=path, headers={"X-A": "a" * size})).read().status in (404, 405)
        connection.send(request(path=path, headers={"X-A": "a" * 8_193}), GOOD)
        _ends_with(connection, 431)


@pytest.mark.parametrize("path", [b"/healthz", CHAT], ids=["other", "hot"])
def test_all_headers_together(gateway: Gateway, path: bytes) -> None:
    raw = request(path=path, headers={f"X-{number}": "a" * 8_000 for number in range(4)} | {"X-Rest": "{rest}"})
    spare = 32_768 - (raw.find(b"\r\n\r\n") + 2 - raw.find(b"\r\n") - 2) + len(b"{rest}")
    with Raw(gateway) as connection:
        for size in (spare - 1, spare):
            assert connection.send(raw.replace(b"{rest}", b"a" * size)).read().status in (404, 405)
        connection.send(raw.replace(b"{rest}", b"a" * (spare + 1)), GOOD)
        _ends_with(connection, 431)


@pytest.mark.parametrize("path", [b"/healthz", CHAT], ids=["other", "hot"])
def test_number_of_headers(gateway: Gateway, path: bytes) -> None:
    with Raw(gateway) as connection:
        for count in (97, 98):  # and two of the request itself
            raw = request(path=path, headers={f"X-{number}": "" for number in range(count)})
            assert connection.send(raw).read().status in (404, 405)
        connection.send(request(path=path, headers={f"X-{number}": "" for number in range(99)}), GOOD)
        _ends_with(connection, 431)


def test_a_head_that_never_ends_is_refused_when_it_is_too_large(gateway: Gateway) -> None:
    with Raw(gateway) as connection:
        connection.send(b"GET /" + b"a" * 8_200)
        _ends_with(connection, 414)
    with Raw(gateway) as connection:
        connection.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 32_800)
        _ends_with(connection, 431)


LIMITED = [
    pytest.param(CHAT, COMPLETION_BYTES, id="completions"),
    pytest.param(b"/api/gateway/chat/completions", COMPLETION_BYTES, id="drop-in"),
    pytest.param(b"/v1/models", API_BYTES, id="other"),
]


@pytest.mark.parametrize(("path", "most"), LIMITED)
def test_body_by_its_length(gateway: Gateway, path: bytes, most: int) -> None:
    with Raw(gateway) as connection:
        for size in (most - 1, most):
            assert connection.send(request(b" " * size, path)).read().status in (400, 405)
        head = request(b"", path).replace(b"Content-Length: 0", b"Content-Length: %d" % (most + 1))
        connection.send(head)  # nothing of the body has been sent
        _ends_with(connection, 413)


@pytest.mark.parametrize(("path", "most"), LIMITED)
def test_body_while_it_is_read(gateway: Gateway, path: bytes, most: int) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n" % path
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with Raw(gateway) as connection:
        connection.send(head, *(chunk for _ in range(most // 65_536)), b"0\r\n\r\n")
        assert connection.read().status in (400, 405)
        connection.send(head, *(chunk for _ in range(most // 65_536)), b"1\r\n ")
        _ends_with(connection, 413)


def test_chunk_framing_is_bounded(gateway: Gateway) -> None:
    """Extensions and trailers carry nothing, and are not kept without limit."""
    head = b"POST %b HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n" % CHAT
    for start in (b"1;", b"0\r\nX: "):
        with Raw(gateway) as connection:
            connection.send(head + start, *(b"a" * 65_536 for _ in range(64)))
            assert connection.read().code == "malformed_http"
            assert connection.rest() == b""


@pytest.mark.parametrize("path", [CHAT, b"/api/openrouter/chat/completions", b"/v1/models"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_content_codings_are_refused(gateway: Gateway, path: bytes, coding: str) -> None:
    with Raw(gateway) as connection:
        connection.send(request(path=path, headers={"Content-Encoding": coding}), GOOD)
        _ends_with(connection, 415)


JSON_TYPES = ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
OTHER_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/jsonp",
    "application/json; charset=latin-1",
    "",
]


@pytest.mark.parametrize("kind", JSON_TYPES)
def test_json_content_types(gateway: Gateway, account: Account, kind: str) -> None:
    assert ask(gateway, request(STORY, headers={**account.headers, "Content-Type": kind})).status == 200


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_other_content_types_are_refused(gateway: Gateway, account: Account, kind: str) -> None:
    with Raw(gateway) as connection:
        connection.send(request(STORY, headers={**account.headers, "Content-Type": kind}))
        _ends_with(connection, 415)


@pytest.mark.parametrize("kind", [*JSON_TYPES, *OTHER_TYPES])
@pytest.mark.parametrize("prefix", [b"/api/gateway", b"/api/openrouter"])
def test_the_drop_in_prefixes_do_not_look_at_content_types(
    gateway: Gateway, account: Account, kind: str, prefix: bytes
) -> None:
    raw = request(STORY, prefix + b"/chat/completions", {**account.headers, "Content-Type": kind})
    assert ask(gateway, raw).status == 200


def test_no_content_type_is_fine(gateway: Gateway, account: Account) -> None:
    assert ask(gateway, request(STORY, headers=account.headers)).status == 200


_OPEN = b'{"model":"sim/story","messages":%b,' % json.dumps(MESSAGES).encode()


def _nested(depth: int) -> bytes:
    """An object `depth` levels deep, itself counted."""
    return _OPEN + b'"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def _values(count: int) -> bytes:
    """An object with that many values inside."""
    return _OPEN + b'"x":[' + b",".join(b"0" for _ in range(count - 6)) + b"]}"


def _chat(**fields: object) -> bytes:
    return json.dumps({**STORY, **fields}).encode()


AT_THEIR_LIMIT = {
    "depth": _nested(64),
    "values": _values(250_000),
    "digits": _OPEN + b'"x":%b}' % (b"1" * 32),
    "tools": _chat(tools=[{"type": "function", "function": {"name": f"f{n}"}} for n in range(512)]),
    "n": _chat(n=8),
    "stop": _chat(stop=["x"] * 16),
    "metadata": _chat(metadata={f"{n:064}": "v" * 512 for n in range(16)}),
    "messages": _chat(messages=[{"role": "user", "content": "a"}] * 10_000),
}
OVER_THEIR_LIMIT = {
    "depth": _nested(65),
    "values": _values(250_001),
    "digits": _OPEN + b'"x":%b}' % (b"1" * 33),
    "tools": _chat(tools=[{"type": "function"}] * 513),
    "n": _chat(n=9),
    "n of nothing": _chat(n=0),
    "n no number": _chat(n="1"),
    "n a truth value": _chat(n=True),
    "n a fraction": _chat(n=1.5),
    "stop": _chat(stop=["x"] * 17),
    "metadata": _chat(metadata={str(n): "v" for n in range(17)}),
    "metadata name": _chat(metadata={"n" * 65: "v"}),
    "metadata value": _chat(metadata={"n": "v" * 513}),
    "messages": _chat(messages=[{"role": "user", "content": "a"}] * 10_001),
    "model id": _chat(model="m" * 257),
    "max_tokens": _chat(max_tokens=-1),
    "infinity": b'{"model":"sim/story","x":Infinity}',
    "not a number": b'{"model":"sim/story","x":NaN}',
    "overflow": b'{"model":"sim/story","x":1e400}',
    "byte order mark": b"\xef\xbb\xbf" + _chat(),
    "UTF-16": _chat().decode().encode("utf-16"),
    "invalid UTF-8": b'{"model":"sim/story\xff"}',
    "lone surrogate": b'{"model":"sim/story","x":"\\ud800"}',
    "twice the same name": b'{"model":"sim/story","model":"sim/echo"}',
    "text after": _chat() + b"x",
    "two values": _chat() + _chat(),
    "very deep": b"[" * 1_000_000,
    "very many": b"[" + b"[]," * 1_000_000,
    "a very long number": _OPEN + b'"x":%b}' % (b"1" * 100_000),
}


@pytest.mark.parametrize("body", AT_THEIR_LIMIT.values(), ids=AT_THEIR_LIMIT)
def test_json_at_its_limits(gateway: Gateway, account: Account, body: bytes) -> None:
    assert ask(gateway, request(body, headers=account.headers)).status == 200


@pytest.mark.parametrize("body", OVER_THEIR_LIMIT.values(), ids=OVER_THEIR_LIMIT)
def test_json_over_its_limits(gateway: Gateway, account: Account, body: bytes) -> None:
    with Raw(gateway) as connection:
        answer = connection.send(request(body, headers=account.headers)).read()
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert connection.send(GOOD).read().status == 200  # the framing was in order
