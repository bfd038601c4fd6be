import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.http_head import is_length, plain_head

HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nX-One:  two \t\r\nEmpty:\r\n\r\n"
PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"a",
    b"B",
    b"_",
    b"\0",
    b"\x7f",
    b"\xff",
    b"Host",
    b"host",
    b"1",
    b",",
)


def test_a_plain_head() -> None:
    assert plain_head(HEAD) == (b"POST /a HTTP/1.1", {b"host": b"a", b"x-one": b"two", b"empty": b""})
    assert plain_head(b"GET / HTTP/1.1\r\n\r\n") == (b"GET / HTTP/1.1", {})


@pytest.mark.parametrize(
    "line",
    [
        b"no colon",
        b": no name",
        b"space : a",
        b" folded: a",
        b"under_score: a",
        b"a: b\nc: d",
        b"a: b\rc",
        b"a: \0",
        b"a: \x7f",
        b"\xe9: a",
        b"host: again",
        b"n" * 65 + b": a",
        b"",
    ],
)
def test_what_is_left_to_the_parser(line: bytes) -> None:
    assert plain_head(b"POST /a HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n") is None


class _Parsed:
    def __init__(self, head: bytes) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserError:
            self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
def test_whatever_is_read_here_the_parser_reads_alike(middle: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + middle + b"\r\n\r\n"
    read = plain_head(head)
    if read is None:
        return
    parsed = _Parsed(head)
    assert parsed.complete
    assert dict(parsed.fields) == read[1]
    assert len(parsed.fields) == len(read[1])


def test_lengths() -> None:
    assert [is_length(text) for text in (b"0", b"007", b"", b"1e3", b"\xb2", b"1" * 13)] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
