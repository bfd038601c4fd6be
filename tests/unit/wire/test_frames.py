import json

from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.frames import KEEP_ALIVE_COMMENT, error_frame
from tollway.wire.scan import StreamScanner


@given(st.text(), st.text(), st.text())
def test_an_error_is_one_event_whatever_it_says(code: str, message: str, request_id: str) -> None:
    """Text can never become a field or an event of its own."""
    text = message.encode("utf-8", "replace").decode()
    frame = error_frame(code.encode("utf-8", "replace").decode(), text, request_id.encode("utf-8", "replace").decode())
    assert frame.startswith(b"data: {")
    assert frame.endswith(b"}\n\n")
    assert b"\n" not in frame[:-2]
    assert b"\r" not in frame
    event = json.loads(frame[6:])
    assert event["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
    assert event["error"]["message"] == text


def test_the_scanner_reads_it_as_an_error_without_output() -> None:
    scanner = StreamScanner()
    assert scanner.feed(error_frame("upstream_broken", "content", "id"))
    assert (scanner.has_error, scanner.finish_reason, scanner.deltas) == (True, "error", 0)


def test_the_comment_changes_nothing() -> None:
    scanner = StreamScanner()
    assert scanner.feed(KEEP_ALIVE_COMMENT) == KEEP_ALIVE_COMMENT
    assert (scanner.at_boundary, scanner.deltas, scanner.has_error) == (True, 0, False)
