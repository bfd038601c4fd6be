import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.errors import Code
from tollway.http.head import (
    blank_lines,
    check_head,
    check_partial_head,
    is_host,
    is_json,
    plain_path,
    without_upgrade,
)
from tollway.settings import Limits

LIMITS = Limits()


def _head(target: bytes = b"/", headers: bytes = b"Host: a\r\n", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET %b %b\r\n%b\r\n" % (target, version, headers)


@pytest.mark.parametrize("value", [b"a", b"a.example", b"a:80", b"127.0.0.1:8788", b"[::1]", b"[::1]:80", b"a_b-c~d"])
def test_hosts(value: bytes) -> None:
    assert is_host(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":80",
        b"a:",
        b"a:x",
        b"a:123456",
        b"a b",
        b"a,b",
        b"a/b",
        b"u@a",
        b"[::1",
        b"::1",
        b"a\n",
        b"http://a",
        b"a?",
    ],
)
def test_no_hosts(value: bytes) -> None:
    assert not is_host(value)


@pytest.mark.parametrize(
    "value",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"',
        b"application/json ; charset=utf8",
    ],
)
def test_json_types(value: bytes) -> None:
    assert is_json(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"text/plain",
        b"application/jsonx",
        b"application/json; charset=utf-16",
        b"application/x-www-form-urlencoded",
    ],
)
def test_other_types(value: bytes) -> None:
    assert not is_json(value)


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        (b"/", b"/"),
        (b"/v1/chat%2Dcompletions", b"/v1/chat-completions"),
        (b"/%E2%82%AC", b"/\xe2\x82\xac"),
        (b"/a..b/.c/d.", b"/a..b/.c/d."),
        (b"/%252f", b"/%2f"),
    ],
)
def test_plain_paths(path: bytes, decoded: bytes) -> None:
    assert plain_path(path) == decoded


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"*",
        b"a:80",
        b"http://a/b",
        b"/a%2fb",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a\\b",
        b"/a%00b",
        b"/a%0d%0ab",
        b"/a%7f",
        b"/.",
        b"/..",
        b"/a/../b",
        b"/a/./b",
        b"/a/%2e%2e/b",
        b"/a/.%2E",
        b"/%ff",
        b"/\xc3\xa4",
        b"/%C0%AE",
        b"/a%2",
        b"/a%zz",
        b"/a#b",
    ],
)
def test_no_plain_paths(path: bytes) -> None:
    assert plain_path(path) is None


@pytest.mark.parametrize(
    "version", [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"RTSP/1.0", b"HTTP/1.1 ", b"HTTP/11", b""]
)
def test_other_versions_are_malformed(version: bytes) -> None:
    assert check_head(_head(version=version), LIMITS) is Code.MALFORMED_HTTP
    assert check_partial_head(bytearray(_head(version=version)[:-4]), 0, LIMITS) is Code.MALFORMED_HTTP


@pytest.mark.parametrize("line", [b"GET /", b"GET", b"GET  / HTTP/1.1", b"GET / x HTTP/1.1", b" HTTP/1.1"])
def test_other_request_lines_are_malformed(line: bytes) -> None:
    assert check_head(line + b"\r\nHost: a\r\n\r\n", LIMITS) is Code.MALFORMED_HTTP


def test_the_request_line_has_a_limit() -> None:
    spare = LIMITS.request_line_bytes - len("GET / HTTP/1.1")
    assert check_head(_head(b"/" + b"a" * spare), LIMITS) is None
    assert check_head(_head(b"/" + b"a" * (spare + 1)), LIMITS) is Code.URI_TOO_LONG


def test_headers_have_a_limit_together() -> None:
    spare = LIMITS.headers_bytes - len("X: \r\n")
    assert check_head(_head(headers=b"X: %b\r\n" % (b"a" * spare)), LIMITS) is None
    assert check_head(_head(headers=b"X: %b\r\n" % (b"a" * (spare + 1))), LIMITS) is Code.HEADERS_TOO_LARGE


def test_headers_are_counted() -> None:
    assert check_head(_head(headers=b"X: a\r\n" * LIMITS.headers_count), LIMITS) is None
    assert check_head(_head(headers=b"X: a\r\n" * (LIMITS.headers_count + 1)), LIMITS) is Code.HEADERS_TOO_LARGE


def test_a_line_without_end_is_refused_as_soon_as_it_is_too_long() -> None:
    line = b"GET /" + b"a" * LIMITS.request_line_bytes
    assert check_partial_head(bytearray(line[: LIMITS.request_line_bytes]), 0, LIMITS) is None
    assert check_partial_head(bytearray(line[: LIMITS.request_line_bytes + 2]), 0, LIMITS) is Code.URI_TOO_LONG


def test_headers_without_end_are_refused_as_soon_as_they_are_too_large() -> None:
    head = bytearray(b"GET / HTTP/1.1\r\nX: " + b"a" * LIMITS.headers_bytes)
    assert check_partial_head(head, 0, LIMITS) is Code.HEADERS_TOO_LARGE


@pytest.mark.parametrize(
    "start",
    [b"\x16\x03\x01\x02", b"get / ", b"\n", b"{}", b"GET / HTTP/1.1\nHost: a\n\n", b"G\0", b"GET / HTTP/1.1\rX"],
)
def test_what_can_only_turn_out_wrong_is_refused_at_once(start: bytes) -> None:
    assert check_partial_head(bytearray(start), 0, LIMITS) is Code.MALFORMED_HTTP


@given(st.integers(0, 60))
def test_a_good_head_is_good_in_every_part(cut: int) -> None:
    head = _head(b"/v1/models?a=b", b"Host: a.example\r\nAccept: */*\r\n")
    assert check_partial_head(bytearray(head[: max(1, min(cut, len(head) - 1))]), 0, LIMITS) is None
    assert check_head(head, LIMITS) is None


def test_a_bare_line_end_is_seen_across_two_pieces() -> None:
    head = b"GET / HTTP/1.1\r\nX: a\rb"
    assert check_partial_head(bytearray(head[:-1]), 0, LIMITS) is None
    assert check_partial_head(bytearray(head), len(head) - 1, LIMITS) is Code.MALFORMED_HTTP


def test_upgrade_is_read_under_a_name_that_is_dropped() -> None:
    assert without_upgrade(_head(headers=b"Upgrade: h2c\r\n")) == _head(headers=b"_pgrade: h2c\r\n")
    assert without_upgrade(_head(b"/upgrade:", b"X-Upgrade: b\r\n")) == _head(b"/upgrade:", b"X-Upgrade: b\r\n")


@pytest.mark.parametrize(("head", "size"), [(b"", 0), (b"\r", 0), (b"\r\n\r\nG", 4), (b"\r\n\r", 2), (b"G\r\n", 0)])
def test_blank_lines_before_a_request(head: bytes, size: int) -> None:
    assert blank_lines(bytearray(head)) == size
