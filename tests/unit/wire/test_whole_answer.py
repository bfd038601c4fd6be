from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.answer_head import AnswerHead, read_answer_head
from tollway.wire.whole_answer import whole_answer

HEAD_BYTES_MAX = 1_000
ANSWER = (
    b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: text/plain\r\nRequest-Id: r1\r\nContent-Length: 5\r\n\r\nhello"
)


def test_an_ordinary_answer() -> None:
    read = whole_answer(ANSWER, HEAD_BYTES_MAX)
    assert read == (AnswerHead(200, b"text/plain", b"today", None, True, b"", b"r1"), b"hello")
    bad = b"HTTP/1.1 400 \r\nX-Length: 7\r\nConnection: Keep-Alive\r\ncontent-LENGTH:0\r\n\r\n"
    assert whole_answer(bad, HEAD_BYTES_MAX) == (AnswerHead(400, is_framed=True), b"")


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER + b"x",
        ANSWER[:-1],
        ANSWER.replace(b"1.1", b"1.0"),
        ANSWER.replace(b"200 OK", b"200"),
        ANSWER.replace(b"200", b"2000"),
        ANSWER.replace(b"200", b"20x"),
        ANSWER.replace(b"200", b"100"),
        ANSWER.replace(b"200", b"204"),
        ANSWER.replace(b"200", b"304"),
        ANSWER.replace(b"Length: 5", b"Length: +5"),
        ANSWER.replace(b"Content-Length: 5\r\n", b""),
        ANSWER.replace(b"Length: 5", b"Length: 5\r\nContent-Length: 5"),
        ANSWER.replace(b"today", b"today\r\nTransfer-Encoding: chunked"),
        ANSWER.replace(b"today", b"today\r\nContent-Encoding: identity"),
        ANSWER.replace(b"today", b"today\r\nConnection: close"),
        ANSWER.replace(b"today", b"today\r\nRetry-After: 7"),
        ANSWER.replace(b"today", b"today\r\nUPGRADE: x"),
        ANSWER.replace(b"today", b"today\r\nunder_score: x"),
        ANSWER.replace(b"today", b"today\r\n folded"),
        ANSWER.replace(b"text/plain", b"Text/Event-Stream; charset=utf-8"),
        ANSWER.replace(b"today", b"x" * HEAD_BYTES_MAX),
        b"",
        b"\r\n\r\n",
    ],
)
def test_what_is_left_to_the_parser(answer: bytes) -> None:
    assert whole_answer(answer, HEAD_BYTES_MAX) is None


class _Parsed:
    """What the parser makes of the same bytes."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.ended = 0
        self.keeps_alive = False
        self.parser: Any = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.keeps_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1


PIECES = (
    b"\r\n",
    b"\n",
    b" ",
    b":",
    b"X",
    b"0",
    b"5",
    b"hello",
    b"Content-Length: 5",
    b"Connection: close",
    b"\0",
    b"",
)


@given(st.integers(0, len(ANSWER)), st.sampled_from(PIECES), st.integers(0, 6))
def test_never_more_lenient_than_the_parser(at: int, piece: bytes, dropped: int) -> None:
    """Whatever is taken here is one complete answer to the parser, with the same head and body, and keeps alive."""
    data = ANSWER[:at] + piece + ANSWER[at + dropped :]
    read = whole_answer(data, HEAD_BYTES_MAX)
    if read:
        parsed = _Parsed(data)
        assert (parsed.ended, parsed.body, parsed.keeps_alive) == (1, read[1], True)
        assert read[0] == read_answer_head(parsed.parser.get_status_code(), parsed.headers)
