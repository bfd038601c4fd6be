import pytest

from tollway.wire.answer_head import AnswerHead, headers_shown, read_answer_head, read_retry_after

DATE = b"Fri, 20 Nov 2026 12:00:00 GMT"


def test_only_five_things_matter() -> None:
    headers = [(b"server", b"x"), (b"content-type", b"text/html"), (b"date", DATE), (b"set-cookie", b"a=b")]
    assert read_answer_head(500, headers) == AnswerHead(500, b"text/html", DATE, None)
    assert read_answer_head(200, []) == AnswerHead(200, b"application/json", b"", None)
    assert read_answer_head(429, [(b"retry-after", b"7")]).retry_after_s == 7
    assert read_answer_head(200, [(b"request-id", b"r1"), (b"x-request-id", b"r2")]).request_id == b"r1"


def test_what_is_shown_of_it() -> None:
    assert headers_shown(b"text/plain", b"", b"") == b"content-type: text/plain\r\ncontent-encoding: identity\r\n"
    shown = headers_shown(b"text/plain", DATE, b"r1")
    assert shown.endswith(b"identity\r\ndate: Fri, 20 Nov 2026 12:00:00 GMT\r\nrequest-id: r1\r\n")


@pytest.mark.parametrize(
    ("status", "content_type", "is_stream"),
    [
        (200, b"text/event-stream", True),
        (200, b"Text/Event-Stream; charset=utf-8", True),
        (201, b"text/event-stream", True),
        (200, b"application/json", False),
        (400, b"text/event-stream", False),  # a refusal is never fed to a client as a stream
        (302, b"text/event-stream", False),
        (200, b"", False),
    ],
)
def test_what_is_a_stream(status: int, content_type: bytes, is_stream: bool) -> None:
    assert read_answer_head(status, [(b"content-type", content_type)]).is_stream == is_stream


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (b"0", b"", 0),
        (b" 12 ", b"", 12),
        (b"86401", b"", 86_400),
        (b"9" * 5_000, b"", 86_400),
        (b"-1", b"", None),
        (b"1.5", b"", None),
        (b"", DATE, None),
        (b"soon", DATE, None),
        (b"Fri, 20 Nov 2026 12:00:30 GMT", DATE, 30),
        (b"Fri, 20 Nov 2026 11:00:00 GMT", DATE, 0),
        (b"Fri, 20 Nov 2036 11:00:00 GMT", DATE, 86_400),
        (b"Fri, 20 Nov 2026 12:00:30 GMT", b"", None),
        (b"Fri, 20 Nov 2026 12:00:30 -0000", DATE, None),  # one with, one without a zone cannot be compared
        (b"\xff\xfe", DATE, None),
    ],
)
def test_retry_after(value: bytes, date: bytes, seconds: int | None) -> None:
    assert read_retry_after(value, date) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "is_framed", "coding"),
    [
        (200, [], False, b""),
        (200, [(b"content-length", b"0")], True, b""),
        (200, [(b"transfer-encoding", b"gzip, Chunked")], True, b""),
        (200, [(b"transfer-encoding", b"gzip")], False, b""),
        (204, [], True, b""),
        (304, [], True, b""),
        (200, [(b"content-encoding", b" GZIP "), (b"content-length", b"1")], True, b"gzip"),
        (200, [(b"content-encoding", b"Identity")], False, b""),
        (200, [(b"content-encoding", b"gzip, br")], False, b"gzip, br"),
        (200, [(b"x-content-length", b"1"), (b"content-type", b"chunked")], False, b""),
    ],
)
def test_what_a_head_says_of_its_body(
    status: int, headers: list[tuple[bytes, bytes]], is_framed: bool, coding: bytes
) -> None:
    head = read_answer_head(status, headers)
    assert (head.is_framed, head.coding) == (is_framed, coding)
