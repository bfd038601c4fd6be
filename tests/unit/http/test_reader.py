import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.errors import Code
from tollway.http.reader import BODY, DONE, HEAD, IDLE, RequestReader
from tollway.settings import Limits

HEAD_LINES = b"POST /v1/chat/completions?a=1&b HTTP/1.1\r\nHost: a\r\n"
WITH_LENGTH = HEAD_LINES + b"Content-Length: 4\r\n\r\nbody"
CHUNKED = HEAD_LINES + b"Transfer-Encoding: chunked\r\n\r\n"
IN_CHUNKS = CHUNKED + b"2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nAuthorization: late\r\n\r\n"


def _read(*pieces: bytes, limits: Limits | None = None) -> RequestReader:
    reader = RequestReader(limits or Limits())
    for piece in pieces:
        reader.feed(piece)
        if reader.problem:
            break
    return reader


def _code(*pieces: bytes, limits: Limits | None = None) -> Code | None:
    problem = _read(*pieces, limits=limits).problem
    return problem.code if problem else None


def _with(*headers: bytes) -> bytes:
    return HEAD_LINES + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


@pytest.mark.parametrize("raw", [WITH_LENGTH, IN_CHUNKS])
def test_a_request_is_the_same_however_it_is_cut(raw: bytes) -> None:
    whole = _read(raw)
    cut = _read(*(raw[at : at + 1] for at in range(len(raw))))
    for reader in (whole, cut):
        assert (reader.stage, reader.problem, reader.is_last) == (DONE, None, False)
        assert (reader.path, reader.query, reader.route) == (
            b"/v1/chat/completions",
            b"?a=1&b",
            ("/v1/chat/completions", False),
        )
        assert b"authorization" not in reader.fields
        assert reader.take_body() == b"body"
    assert whole.fields == cut.fields


@given(st.lists(st.integers(1, 30), max_size=12))
def test_what_follows_a_body_of_known_length_comes_back(cuts: list[int]) -> None:
    reader = RequestReader(Limits())
    raw, rest = WITH_LENGTH + b"GET / HTTP/1.1\r\n", b""
    at = 0
    for size in [*cuts, len(raw)]:
        piece, at = raw[at : at + size], at + size
        if piece and reader.stage != DONE:
            rest += reader.feed(piece)
        else:
            rest += piece
    assert rest == b"GET / HTTP/1.1\r\n"
    assert reader.take_body() == b"body"


def test_requests_follow_one_another() -> None:
    reader = RequestReader(Limits())
    for _ in range(3):
        assert reader.feed(WITH_LENGTH) == b""
        assert (reader.stage, reader.take_body()) == (DONE, b"body")
        reader.stage = IDLE
        assert reader.stage == IDLE
        reader.feed(IN_CHUNKS)
        assert (reader.stage, reader.take_body()) == (DONE, b"body")
        reader.stage = IDLE


@pytest.mark.parametrize("rest", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GE", b"\0\0", b"nonsense\r\n\r\n"])
def test_whatever_follows_a_chunked_body_makes_it_the_last(rest: bytes) -> None:
    reader = _read(IN_CHUNKS + rest)
    assert (reader.stage, reader.problem, reader.is_last) == (DONE, None, True)
    assert reader.path == b"/v1/chat/completions"
    assert reader.take_body() == b"body"


def test_stages() -> None:
    reader = RequestReader(Limits())
    assert reader.stage == IDLE
    for piece, stage in (
        (b"\r", IDLE),
        (b"\n\r\n", IDLE),
        (b"P", HEAD),
        (HEAD_LINES[1:], HEAD),
        (b"Content-Length: 1\r\n\r\n", BODY),
        (b"x", DONE),
    ):
        reader.feed(piece)
        assert (reader.stage, reader.problem) == (stage, None)


@pytest.mark.parametrize(
    "raw",
    [
        _with(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
        _with(b"Transfer-Encoding: chunked", b"Content-Length: 3"),
        _with(b"Content-Length: 3", b"Content-Length: 3"),
        _with(b"Content-Length: 3", b"Content-Length: 4"),
        _with(b"Content-Length: 3, 3"),
        _with(b"Content-Length: +3"),
        _with(b"Content-Length: -3"),
        _with(b"Content-Length:"),
        _with(b"Content-Length: 0x3"),
        _with(b"Content-Length: 99999999999999999999999"),
        _with(b"Transfer-Encoding: gzip"),
        _with(b"Transfer-Encoding: gzip, chunked"),
        _with(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
        _with(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        _with(b"Transfer-Encoding: chunked, identity"),
        _with(b"Transfer-Encoding: identity"),
        _with(b"Transfer-Encoding: \x0bchunked"),
        _with(b"X : a"),
        _with(b"X: a", b" folded"),
        _with(b": a"),
        _with(b"nothing"),
        _with(b"X: a\0b"),
        _with(b"X: a\x01b"),
        _with(b"X: a\nY: b"),
        _with(b"X: a\rY: b"),
        _with(b"Upgrade: a\0b"),
        _with(b"Upgrade: a\rb"),
        _with(b"Upgrade: a", b" folded"),
        _with(b"Authorization: Bearer a", b"Authorization: Bearer b"),
        _with(b"Content-Type: application/json", b"Content-Type: application/json"),
        _with(b"Host: b"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"3 \r\nabc\r\n",
        CHUNKED + b"3\nabc\n",
        CHUNKED + b"3\r\nabcd\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
        CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
        CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED + b"0\r\nX : a\r\n\r\n",
    ],
)
def test_malformed_however_it_is_cut(raw: bytes) -> None:
    assert _code(raw) is Code.MALFORMED_HTTP
    assert _code(*(raw[at : at + 1] for at in range(len(raw)))) is Code.MALFORMED_HTTP


def test_invalid_paths_under_a_drop_in_prefix_have_their_own_code() -> None:
    head = b"POST /api/gateway/a%2fb HTTP/1.1\r\nHost: a\r\n\r\n"
    reader = _read(head)
    assert reader.problem
    assert (reader.problem.code, reader.is_historic) == (Code.INVALID_PATH, True)


def test_two_credentials_under_a_drop_in_prefix_are_an_invalid_request() -> None:
    head = b"POST /api/gateway/chat/completions HTTP/1.1\r\nHost: a\r\n%b\r\n"
    assert _code(head % (2 * b"Authorization: Bearer a\r\n")) is Code.INVALID_REQUEST
    assert _code(head % b"Authorization: Bearer a\r\n") is None


def test_an_encoded_hot_path_is_the_hot_path() -> None:
    assert _read(HEAD_LINES.replace(b"chat", b"%63hat") + b"\r\n").route == ("/v1/chat/completions", False)


def test_names_with_underscores_are_dropped_and_repeated_ones_joined() -> None:
    reader = _read(_with(b"X_Forwarded_For: 1", b"Content_Length: 7", b"X-A: 1 \t", b"x-a:2"))
    assert reader.fields == {b"host": b"a", b"x-a": b"1, 2"}


@pytest.mark.parametrize("header", [b"Content-Encoding: gzip", b"Content-Encoding: identity, gzip"])
def test_content_codings_are_refused(header: bytes) -> None:
    assert _code(_with(header)) is Code.UNSUPPORTED_MEDIA_TYPE
    assert _code(_with(b"Content-Encoding: Identity")) is None


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        (b"/v1/chat/completions", b"", None),
        (b"/v1/chat/completions", b"Content-Type: application/json; charset=utf-8\r\n", None),
        (b"/v1/chat/completions", b"Content-Type: text/plain\r\n", Code.UNSUPPORTED_MEDIA_TYPE),
        (b"/v1/chat/completions", b"Content-Type:\r\n", Code.UNSUPPORTED_MEDIA_TYPE),
        (b"/api/gateway/chat/completions", b"Content-Type: text/plain\r\n", None),
        (b"/api/openrouter/chat/completions", b"Content-Type: text/plain\r\n", None),
    ],
)
def test_content_types(path: bytes, kind: bytes, code: Code | None) -> None:
    assert _code(b"POST %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (path, kind)) is code


def test_body_limits() -> None:
    limits = Limits(completion_body_bytes=10, api_body_bytes=5)
    other = b"POST /other HTTP/1.1\r\nHost: a\r\n"
    for head, most in ((HEAD_LINES, 10), (other, 5)):
        assert _code(head + b"Content-Length: %d\r\n\r\n" % most, limits=limits) is None
        assert _code(head + b"Content-Length: %d\r\n\r\n" % (most + 1), limits=limits) is Code.BODY_TOO_LARGE
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n"
        assert _code(chunked % (most, b"a" * most) + b"0\r\n\r\n", limits=limits) is None
        assert _code(chunked % (most, b"a" * most) + b"1\r\na", limits=limits) is Code.BODY_TOO_LARGE


def test_a_header_value_has_a_limit() -> None:
    most = Limits().header_value_bytes
    assert _code(_with(b"X: " + b"a" * most)) is None
    assert _code(_with(b"X: " + b"a" * (most + 1))) is Code.HEADERS_TOO_LARGE
    assert _code(_with(b"X_X: " + b"a" * (most + 1))) is Code.HEADERS_TOO_LARGE


@pytest.mark.parametrize("start", [b"1;", b"0\r\nX: "])
def test_chunk_extensions_and_trailers_have_a_limit(start: bytes) -> None:
    piece = b"a" * 10_000
    assert _code(CHUNKED + start, piece, piece, piece) is None
    assert _code(CHUNKED + start, piece, piece, piece, piece) is Code.MALFORMED_HTTP


def test_keep_alive() -> None:
    assert _read(_with()).keep_alive
    assert not _read(_with(b"Connection: close")).keep_alive
    assert not _read(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nX: HTTP/1.1\r\n\r\n").keep_alive


def test_upgrade_is_ignored() -> None:
    reader = _read(_with(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 4") + b"body")
    assert (reader.stage, reader.problem, reader.take_body()) == (DONE, None, b"body")


def test_expect() -> None:
    expecting = _with(b"Expect: 100-Continue", b"Content-Length: 4")
    assert _read(expecting).wants_continue
    assert not _read(expecting, b"b").wants_continue
    assert not _read(expecting.replace(b"1.1", b"1.0")).wants_continue


# The same head again


def state(reader: RequestReader) -> tuple[object, ...]:
    return (
        reader.stage,
        reader.problem,
        reader.is_last,
        reader.method,
        reader.url,
        reader.path,
        reader.query,
        reader.fields,
        reader.route,
        reader.keep_alive,
        reader.is_chunked,
        reader.body_bytes,
        reader.take_body() if reader.stage == DONE else None,
    )


@given(st.binary(max_size=40), st.integers(-2, 2), st.binary(max_size=2))
def test_a_request_with_the_head_of_the_one_before_is_read_at_once(body: bytes, more: int, behind: bytes) -> None:
    """To the same result as by a reader that has never seen the head; one of another length is left to `feed`."""
    data = HEAD_LINES + b"Content-Length: %d\r\n\r\n" % max(0, len(body) + more) + body + behind
    reader, fresh = _read(WITH_LENGTH), RequestReader(Limits(completion_body_bytes=40))
    reader._limits = fresh._limits
    reader.take_body()
    first = reader.fields
    reader.stage = IDLE
    assert reader.take_whole(data) == (max(0, len(body) + more) == len(body) + len(behind))
    if reader.stage == IDLE:
        assert reader.feed(data) == fresh.feed(data)
    else:
        fresh.feed(data)
    assert state(reader) == state(fresh)
    assert first[b"content-length"] == b"4"


def test_only_between_requests_and_within_limits() -> None:
    reader = _read(WITH_LENGTH, limits=Limits(completion_body_bytes=4))
    assert not reader.take_whole(WITH_LENGTH)  # one is there already
    reader.stage = IDLE
    assert not reader.take_whole(HEAD_LINES + b"Content-Length: 5\r\n\r\nlarge")
    reader.feed(b"\r")
    assert not reader.take_whole(WITH_LENGTH)
