"""The parser by itself; tests/unit/upstream/test_connection.py has it behind a connection, and every odd answer."""

import gzip

import pytest

from tollway.gateway.upstream_port import FailureKind
from tollway.settings import Limits
from tollway.upstream.answer_parser import INTERIM_ANSWERS_MAX, AnswerParser, Broken
from tollway.wire.answer_head import AnswerHead

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Heard:
    """A Receiver that writes down what it hears."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.parser = AnswerParser(self, Limits(upstream_headers_bytes=500))
        self.parser.begin()

    def head_arrived(self, head: AnswerHead) -> None:
        self.said.append(head.status)

    def body_arrived(self, data: bytes) -> None:
        self.said.append(data)

    def ended(self) -> None:
        self.said.append("ended")


def test_one_answer_after_another() -> None:
    heard = Heard()
    for _ in range(2):
        heard.said.clear()
        assert heard.parser.feed(INTERIM + PLAIN[:-2]) is None
        assert heard.parser.feed(PLAIN[-2:]) is None
        assert heard.said == [200, b"hel", b"lo", "ended"]
        assert heard.parser.leaves_open
        heard.parser.begin()
        assert not heard.parser.leaves_open


def test_behind_an_answer_nothing_is_heard() -> None:
    heard = Heard()
    assert heard.parser.feed(PLAIN + PLAIN) is None
    assert heard.said == [200, b"hello", "ended"]
    assert not heard.parser.leaves_open


def test_between_chunks() -> None:
    heard = Heard()
    steps = [
        (CHUNKED, False),
        (b"2\r\nab\r\n", True),
        (b"2\r\nab\r\n3", False),
        (b"\r\nabc\r\n", True),
        (b"1\r\n", False),
    ]
    for data, is_between in steps:
        assert heard.parser.feed(data) is None
        assert heard.parser.is_between_chunks is is_between, data


def test_coded_chunks_are_never_taken_past_it() -> None:
    heard, body = Heard(), gzip.compress(b"hello")
    head = CHUNKED.replace(b"OK\r\n", b"OK\r\nContent-Encoding: gzip\r\n")
    assert heard.parser.feed(head + b"%x\r\n%b\r\n" % (len(body), body)) is None
    assert not heard.parser.is_between_chunks
    assert heard.said == [200, b"hello"]


def test_an_answer_that_ends_with_its_connection() -> None:
    heard = Heard()
    assert not heard.parser.ends_with_connection
    assert heard.parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhello") is None
    assert heard.parser.ends_with_connection
    assert heard.parser.end() is None
    assert heard.said == [200, b"hello", "ended"]
    assert not heard.parser.leaves_open


@pytest.mark.parametrize(
    ("data", "kind", "detail"),
    [
        (INTERIM * (INTERIM_ANSWERS_MAX + 1) + PLAIN, FailureKind.BROKEN, "too many interim answers"),
        (
            b"HTTP/1.1 101 No\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            FailureKind.BROKEN,
            "too many interim answers",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500 + b"\r\n\r\n", FailureKind.TOO_LARGE, "response headers are too large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500, FailureKind.TOO_LARGE, "response headers are too large"),
        (b"SSH-2.0\r\n\r\n", FailureKind.BROKEN, "not HTTP/1.1"),
        (PLAIN.replace(b"OK", b"OK\r\nContent-Encoding: br"), FailureKind.BROKEN, ""),
        (PLAIN.replace(b"OK", b"OK\r\nContent-Encoding: gzip"), FailureKind.BROKEN, ""),
    ],
)
def test_what_is_no_answer(data: bytes, kind: FailureKind, detail: str) -> None:
    heard = Heard()
    broken = heard.parser.feed(data)
    assert isinstance(broken, Broken)
    assert broken.kind is kind
    assert broken.detail.startswith(detail)
    assert "ended" not in heard.said
