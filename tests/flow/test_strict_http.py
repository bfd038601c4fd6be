"""Guarantee N5 from outside: what is not plain HTTP/1.1 is answered 400 once, and the connection ends."""

import json

import pytest

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import CHAT, STORY, Raw, ask, get, request

GOOD = get("/healthz")
CHUNKED = b"Transfer-Encoding: chunked\r\n"
PATHS = {"hot": CHAT, "drop-in": b"/api/gateway/chat/completions", "other": b"/v1/models"}


def _headers(*lines: bytes) -> bytes:
    return b"POST {path} HTTP/1.1\r\nHost: gateway\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _chunks(body: bytes) -> bytes:
    return _headers(CHUNKED[:-2]) + body


MALFORMED = {
    "length and chunked": _headers(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunked and length": _headers(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n",
    "repeated length": _headers(b"Content-Length: 2", b"Content-Length: 2") + b"{}",
    "differing lengths": _headers(b"Content-Length: 2", b"Content-Length: 40") + b"{}",
    "listed length": _headers(b"Content-Length: 2, 2") + b"{}",
    "signed length": _headers(b"Content-Length: +2") + b"{}",
    "negative length": _headers(b"Content-Length: -2") + b"{}",
    "empty length": _headers(b"Content-Length:") + b"{}",
    "hexadecimal length": _headers(b"Content-Length: 0x2") + b"{}",
    "endless length": _headers(b"Content-Length: " + b"9" * 40) + b"{}",
    "gzip": _headers(b"Transfer-Encoding: gzip") + b"0\r\n\r\n",
    "gzip, chunked": _headers(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "gzip and chunked": _headers(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunked twice": _headers(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunked, identity": _headers(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
    "identity": _headers(b"Transfer-Encoding: identity", b"Content-Length: 2") + b"{}",
    "chunked with a control character": _headers(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "chunked in HTTP/1.0": _chunks(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "space before colon": _headers(b"Content-Length : 2") + b"{}",
    "folded line": _headers(b"X-A: 1", b" 2"),
    "folded line at the start": _headers(b" X-A: 1"),
    "no name": _headers(b": 1"),
    "no colon": _headers(b"X-A"),
    "bare LF between headers": _headers(b"X-A: 1\nX-B: 2"),
    "bare CR in a header": _headers(b"X-A: 1\rX-B: 2"),
    "bare LF everywhere": b"POST {path} HTTP/1.1\nHost: gateway\n\n",
    "bare LF before": b"\nPOST {path} HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "bare CR at the end of the line": b"POST {path} HTTP/1.1\rHost: gateway\r\r",
    "NUL in a value": _headers(b"X-A: 1\x002"),
    "NUL in a name": _headers(b"X\x00A: 1"),
    "control character": _headers(b"X-A: 1\x012"),
    "no Host": b"POST {path} HTTP/1.1\r\n\r\n",
    "no Host in HTTP/1.0": b"POST {path} HTTP/1.0\r\n\r\n",
    "two Hosts": _headers(b"Host: other"),
    "same Host twice": _headers(b"Host: gateway"),
    "empty Host": b"POST {path} HTTP/1.1\r\nHost:\r\n\r\n",
    "Host with a user": b"POST {path} HTTP/1.1\r\nHost: a@gateway\r\n\r\n",
    "Host with a path": b"POST {path} HTTP/1.1\r\nHost: gateway/a\r\n\r\n",
    "Host with a list": b"POST {path} HTTP/1.1\r\nHost: gateway, other\r\n\r\n",
    "Host with a bad port": b"POST {path} HTTP/1.1\r\nHost: gateway:http\r\n\r\n",
    "two content types": _headers(b"Content-Type: application/json", b"Content-Type: text/plain"),
    "chunk size no number": _chunks(b"x\r\n"),
    "chunk size signed": _chunks(b"+2\r\n{}\r\n0\r\n\r\n"),
    "chunk size with 0x": _chunks(b"0x2\r\n{}\r\n0\r\n\r\n"),
    "chunk size with a space": _chunks(b"2 \r\n{}\r\n0\r\n\r\n"),
    "chunk size too large": _chunks(b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "chunk line with bare LF": _chunks(b"2\n{}\r\n0\r\n\r\n"),
    "chunk longer than said": _chunks(b"2\r\n{}}\r\n0\r\n\r\n"),
    "chunk extension with bare LF": _chunks(b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    "length in a trailer": _chunks(b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "coding in a trailer": _chunks(b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "bad trailer": _chunks(b"2\r\n{}\r\n0\r\nX : a\r\n\r\n"),
    "HTTP/1.2": b"POST {path} HTTP/1.2\r\nHost: gateway\r\n\r\n",
    "HTTP/2.0": b"POST {path} HTTP/2.0\r\nHost: gateway\r\n\r\n",
    "HTTP/0.9": b"GET {path}\r\n",
    "HTTP/0.9 with a blank line": b"GET {path}\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"POST {path} RTSP/1.0\r\nHost: gateway\r\n\r\n",
    "two spaces": b"POST  {path} HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "a tab": b"POST\t{path} HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "lower-case method": b"post {path} HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "absolute form": b"POST http://gateway{path} HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "authority form": b"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "raw UTF-8": b"POST {path}\xc3\xa4 HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "NUL in the path": b"POST {path}\x00 HTTP/1.1\r\nHost: gateway\r\n\r\n",
}
PATH_TRAPS = {
    "encoded slash": b"%2f",
    "encoded backslash": b"%5C",
    "backslash": b"\\a",
    "encoded NUL": b"%00",
    "encoded line end": b"%0d%0a",
    "dot segment": b"/./a",
    "dot segments": b"/../a",
    "encoded dot segments": b"/%2e%2E/a",
    "half encoded dot segments": b"/.%2e",
    "invalid UTF-8": b"%ff",
    "overlong UTF-8": b"%c0%af",
    "broken escape": b"%2",
    "no escape": b"%zz",
    "fragment": b"#a",
    "fragment in the query": b"?a#b",
}


TWO_CREDENTIALS = _headers(b"Authorization: Bearer a", b"Authorization: Bearer b")


def _refused(gateway: Gateway, raw: bytes) -> None:
    """400, once, in the general shape, and the end; also of what comes in the same piece and after it."""
    with Raw(gateway) as connection:
        answer = connection.send(raw, GOOD).read()
        assert answer.status == 400
        assert answer.code == "malformed_http"
        assert answer.headers["connection"] == "close"
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        connection.send(GOOD)
        assert connection.rest() == b""


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_malformed(gateway: Gateway, raw: bytes, path: bytes) -> None:
    _refused(gateway, raw.replace(b"{path}", path))


@pytest.mark.parametrize("path", [PATHS["hot"], PATHS["other"]], ids=["hot", "other"])
def test_two_credentials(gateway: Gateway, path: bytes) -> None:
    _refused(gateway, TWO_CREDENTIALS.replace(b"{path}", path))


def test_two_credentials_under_a_drop_in_prefix_have_the_historic_body(gateway: Gateway) -> None:
    with Raw(gateway) as connection:
        answer = connection.send(TWO_CREDENTIALS.replace(b"{path}", PATHS["drop-in"]), GOOD).read()
        assert (answer.status, answer.json["error"]) == (400, "Invalid request")
        assert connection.rest() == b""


@pytest.mark.parametrize("path", [PATHS["hot"], PATHS["other"]], ids=["hot", "other"])
@pytest.mark.parametrize("trap", PATH_TRAPS.values(), ids=PATH_TRAPS)
def test_paths_that_could_be_read_in_two_ways(gateway: Gateway, trap: bytes, path: bytes) -> None:
    _refused(gateway, b"POST %b%b HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n{}" % (path, trap))


@pytest.mark.parametrize("trap", PATH_TRAPS.values(), ids=PATH_TRAPS)
def test_such_paths_under_a_drop_in_prefix_have_the_historic_body(gateway: Gateway, trap: bytes) -> None:
    with Raw(gateway) as connection:
        answer = connection.send(request(path=b"/api/gateway/chat/completions" + trap), GOOD).read()
        assert (answer.status, answer.json["error"]) == (400, "Invalid path")
        assert connection.rest() == b""


@pytest.mark.parametrize("name", ["repeated length", "bare LF between headers", "chunk size no number", "HTTP/0.9"])
def test_malformed_in_single_bytes(gateway: Gateway, name: str) -> None:
    raw = MALFORMED[name].replace(b"{path}", CHAT)
    with Raw(gateway) as connection:
        connection.send(*(raw[at : at + 1] for at in range(len(raw))))
        assert connection.read().code == "malformed_http"
        assert connection.rest() == b""


def test_after_good_requests_a_bad_one_ends_the_connection(gateway: Gateway) -> None:
    with Raw(gateway) as connection:
        connection.send(GOOD + request(STORY) + MALFORMED["two Hosts"].replace(b"{path}", CHAT) + GOOD)
        assert [connection.read().status for _ in range(3)] == [200, 401, 400]
        assert connection.rest() == b""


def test_names_with_underscores_are_dropped(gateway: Gateway, account: Account) -> None:
    """Neither does one of them authorize, nor does a second length harm."""
    key = account.headers["Authorization"]
    answer = ask(gateway, request(STORY, headers={"Authorization_": key, "Content_Length": "7"}))
    assert answer.status == 401
    answer = ask(gateway, request(STORY, headers={"Authorization": key, "Content_Length": "7"}))
    assert answer.status == 200


def test_a_trailer_is_never_a_header(gateway: Gateway, account: Account) -> None:
    key = account.headers["Authorization"].encode()
    body = json.dumps(STORY).encode()
    raw = _chunks(b"%x\r\n%b\r\n0\r\nAuthorization: %b\r\nHost: other\r\n\r\n" % (len(body), body, key))
    with Raw(gateway) as connection:
        assert connection.send(raw.replace(b"{path}", CHAT)).read().status == 401
        assert connection.send(GOOD).read().status == 200


# What is well-formed


@pytest.fixture
def chat(account: Account) -> bytes:
    return request({**STORY, "sim": {"chunks": 3}}, headers=account.headers)


def test_hot_and_other_requests_share_a_connection(gateway: Gateway, chat: bytes) -> None:
    with Raw(gateway) as connection:
        for raw in (chat, GOOD, chat, chat, GOOD, GOOD, chat):
            assert connection.send(raw).read().status == 200


def test_pipelined_requests_are_answered_in_order(gateway: Gateway, chat: bytes) -> None:
    with Raw(gateway) as connection:
        connection.send(chat + GOOD + request(STORY) + get("/nothing") + chat)
        answers = [connection.read() for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 401, 404, 200]
        assert answers[0].json["object"] == answers[4].json["object"] == "chat.completion"


def test_behind_a_chunked_request_comes_only_the_end(gateway: Gateway) -> None:
    with Raw(gateway) as connection:
        first = _chunks(b"2\r\n{}\r\n0\r\n\r\n").replace(b"{path}", CHAT)
        assert connection.send(first + GOOD).read().status == 404
        assert connection.rest() == b""


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_single_bytes_are_read_like_one_piece(gateway: Gateway, account: Account, framing: str) -> None:
    body = b'{"model":"sim/echo","messages":[{"role":"user","content":"one two three"}],"sim":{"seed":3}}'
    head = b"POST %b HTTP/1.1\r\nHost: gateway\r\nAuthorization: %b\r\n"
    head %= (CHAT, account.headers["Authorization"].encode())
    if framing == "length":
        raw = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    else:
        raw = (
            head
            + CHUNKED
            + b"\r\n10\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nX-A: b\r\n\r\n" % (body[:16], len(body) - 16, body[16:])
        )
    said = []
    for size in (len(raw), 1):
        with Raw(gateway) as connection:
            answer = connection.send(*(raw[at : at + size] for at in range(0, len(raw), size))).read()
            assert answer.status == 200
            said.append(answer.json["choices"][0]["message"])
            assert connection.send(GOOD).read().status == 200
    assert said[0] == said[1]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_cut_anywhere(gateway: Gateway, path: bytes) -> None:
    raw = request(b'{"model":"x"}', path, {"Content-Type": "application/json"})
    with Raw(gateway) as connection:
        expected = connection.send(raw).read().status
        for cut in range(1, len(raw)):
            assert connection.send(raw[:cut], raw[cut:]).read().status == expected


def test_http_1_0_gets_a_length_and_the_end(gateway: Gateway, account: Account) -> None:
    with Raw(gateway) as connection:
        raw = request(STORY, headers=account.headers, version=b"HTTP/1.0")
        answer = connection.send(raw + GOOD).read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.rest() == b""


def test_http_1_0_gets_a_stream_without_chunks(gateway: Gateway, account: Account) -> None:
    with Raw(gateway) as connection:
        raw = request({**STORY, "stream": True}, headers=account.headers, version=b"HTTP/1.0")
        answer = connection.send(raw).read()
        assert "transfer-encoding" not in answer.headers
        assert answer.headers["connection"] == "close"
        assert answer.body.startswith(b"data: ")
        assert answer.body.endswith(b"data: [DONE]\n\n")


def test_connection_close_is_obeyed(gateway: Gateway, chat: bytes) -> None:
    for raw in (chat, GOOD):
        with Raw(gateway) as connection:
            closing = raw.replace(b"Host: gateway\r\n", b"Host: gateway\r\nConnection: close\r\n")
            answer = connection.send(closing + GOOD).read()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert connection.rest() == b""


def test_100_continue(gateway: Gateway, account: Account) -> None:
    head, _, body = request(STORY, headers={**account.headers, "Expect": "100-continue"}).partition(b"\r\n\r\n")
    with Raw(gateway) as connection:
        assert connection.send(head + b"\r\n\r\n").read().status == 100
        assert connection.send(body).read().status == 200
    with Raw(gateway) as connection:
        assert connection.send(head + b"\r\n\r\n" + body).read().status == 200


def test_100_continue_is_not_said_to_a_request_that_is_refused(gateway: Gateway) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: 30000000\r\n\r\n" % CHAT
    with Raw(gateway) as connection:
        assert connection.send(head).read().status == 413
        assert connection.rest() == b""


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0"])
def test_an_upgrade_is_ignored(gateway: Gateway, account: Account, protocol: str) -> None:
    headers = {
        **account.headers,
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": protocol,
        "HTTP2-Settings": "AAMAAABk",
    }
    with Raw(gateway) as connection:
        answer = connection.send(request(STORY, headers=headers)).read()
        assert (answer.status, answer.json["object"]) == (200, "chat.completion")
        assert connection.send(get("/healthz", headers)).read().json == {"status": "ok"}


def test_blank_lines_before_a_request_are_passed_over(gateway: Gateway) -> None:
    with Raw(gateway) as connection:
        assert connection.send(b"\r\n\r\n" + GOOD + b"\r\n").read().status == 200
        assert connection.send(b"\r", b"\n" + GOOD).read().status == 200


def test_white_space_around_values_is_passed_over(gateway: Gateway) -> None:
    raw = b"POST %b HTTP/1.1\r\nHost: \t gateway \t\r\nContent-Length: 2 \r\nTransfer-Encodin: x\r\n\r\n{}" % CHAT
    with Raw(gateway) as connection:
        assert connection.send(raw).read().status == 404
        assert connection.send(GOOD).read().status == 200
