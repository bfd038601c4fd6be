import errno
import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tollway.observability import logs
from tollway.observability.logs import RequestLine, RequestLog, configure_logs, encode_line, get_log

KEY = "sk-S3cr3tCanaryValue0123456789"
UNPRINTABLE = [chr(number) for number in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029)]


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What is logged at level info; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("info", stream)
    yield stream
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    text = out.getvalue()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


# Lines


def test_an_event_is_one_line(out: io.StringIO) -> None:
    get_log().warning("something", user="u", count=3, nothing=None, share=0.5, when=datetime(2026, 1, 2, tzinfo=UTC))
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "something",
        "level": "warning",
        "user": "u",
        "count": 3,
        "nothing": None,
        "share": 0.5,
        "when": "2026-01-02 00:00:00+00:00",
    }


def test_levels(out: io.StringIO) -> None:
    get_log().debug("too little")
    get_log().info("enough")
    assert [line["event"] for line in lines(out)] == ["enough"]


def test_control_characters_are_escaped(out: io.StringIO) -> None:
    text = "a" + "".join(UNPRINTABLE) + 'z\r\n{"event":"forged"}'
    get_log().info(text, field=text, nested={text: [text]})
    (line,) = lines(out)
    assert (line["event"], line["field"], line["nested"]) == (text, text, {text: [text]})
    assert not any(character in out.getvalue()[:-1] for character in UNPRINTABLE)


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        f"Authorization: Bearer {KEY}",
        {"headers": {"authorization": f"Bearer {KEY}"}},
        [KEY, [KEY]],
        (KEY,),
        {KEY},
        {KEY: 1},
        KEY.encode(),
        bytearray(KEY.encode()),
        Path("/") / KEY,
        ValueError(KEY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_secret_is_logged_in_any_field(out: io.StringIO, value: object) -> None:
    get_log().error("event", field=value, other=value)
    assert "S3cr3t" not in out.getvalue()
    assert len(lines(out)) == 1


def test_an_exception_is_told_by_type_and_place(out: io.StringIO) -> None:
    def fail() -> None:
        prompt = "the canary prompt"
        raise ValueError(prompt)

    try:
        fail()
    except ValueError as error:
        get_log().error("internal_error", error=error)
    (line,) = lines(out)
    assert line["error"] == "ValueError"
    assert line["where"].startswith("test_an_exception_is_told_by_type_and_place.<locals>.fail:")
    assert "canary" not in out.getvalue()


def test_an_exception_that_was_never_raised(out: io.StringIO) -> None:
    get_log().error("internal_error", error=KeyError("canary"))
    get_log().error("internal_error", error=f"text {KEY}")
    assert [line["error"] for line in lines(out)] == ["KeyError", "text sk-***"]


def test_libraries_log_in_our_form(out: io.StringIO) -> None:
    log = logging.getLogger("some.library")
    log.info("not this")
    log.warning("key %s\nsecond line", KEY)
    try:
        raise OSError(KEY)
    except OSError:
        log.exception("it failed")
    first, second = lines(out)
    assert (first["event"], first["level"], first["detail"]) == ("library", "warning", "key sk-***\nsecond line")
    assert (second["logger"], second["level"], second["error"]) == ("some.library", "error", "OSError")
    assert "S3cr3t" not in out.getvalue()


def test_warnings_become_lines(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("this is odd", stacklevel=1)
    (line,) = lines(out)
    assert line["logger"] == "py.warnings"
    assert "this is odd" in line["detail"]


@given(
    st.dictionaries(
        st.text(), st.text() | st.integers(-(2**63), 2**63) | st.none() | st.lists(st.text(), max_size=3), max_size=4
    )
)
def test_any_fields_are_one_line_of_json(fields: dict[str, object]) -> None:
    line = encode_line(fields)
    assert json.loads(line) == fields
    assert not any(character in line.decode() for character in UNPRINTABLE)


@pytest.mark.parametrize("text", ["\ud800", "\udcff name", "a\udfff\n\u2028"])
def test_lone_surrogates_are_escaped(text: str) -> None:
    assert json.loads(encode_line({"detail": text})) == {"detail": text}


# The request log


class Sink:
    """Collects what is written; `broken` raises instead."""

    def __init__(self) -> None:
        self.written = b""
        self.dropped = 0
        self.broken = False

    def write(self, data: bytes) -> None:
        if self.broken:
            raise OSError(errno.ENOSPC, "full")
        self.written += data

    def drop(self, count: int) -> None:
        self.dropped += count


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def request_log(sink: Sink) -> RequestLog:
    return RequestLog(sink.write, sink.drop)


def test_lines_are_written_at_the_flush(sink: Sink, request_log: RequestLog) -> None:
    request_log.flush()
    request_log.add({"event": "request", "time": datetime(2026, 1, 2, tzinfo=UTC), "attempts": ["sim:200"]})
    request_log.add({"event": "request", "detail": None})
    assert sink.written == b""
    request_log.flush()
    request_log.flush()
    assert sink.written == (
        b'{"event":"request","time":"2026-01-02T00:00:00Z","attempts":["sim:200"]}\n{"event":"request","detail":null}\n'
    )


def test_lines_kept_are_bounded(sink: Sink, request_log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES_KEPT_MAX", 3)
    for number in range(5):
        request_log.add({"number": number})
    assert sink.dropped == 2
    request_log.flush()
    assert [json.loads(line)["number"] for line in sink.written.splitlines()] == [0, 1, 2]
    request_log.add({"number": 5})
    request_log.flush()
    assert sink.written.endswith(b'{"number":5}\n')


def test_lines_that_cannot_be_written_are_counted(sink: Sink, request_log: RequestLog) -> None:
    sink.broken = True
    request_log.add({"number": 1})
    request_log.add({"number": 2})
    with pytest.raises(OSError, match="full"):
        request_log.flush()
    assert sink.dropped == 2
    sink.broken = False
    request_log.flush()
    assert sink.written == b""


def test_the_detail_is_redacted_and_escaped(sink: Sink, request_log: RequestLog) -> None:
    request_log.add({"detail": f"{KEY}\r\n\x9b31m\u2028"})
    request_log.flush()
    assert sink.written == b'{"detail":"sk-***\\r\\n\\u009b31m\\u2028"}\n'


@pytest.mark.parametrize("detail", [None, KEY, f"{KEY} \ud800"])
def test_a_request_is_one_line_whose_detail_is_redacted(
    sink: Sink, request_log: RequestLog, detail: str | None
) -> None:
    line = RequestLine(
        datetime(2026, 1, 2, tzinfo=UTC), "id-1", "/v1", 200, "u", None, "m", "auto", ["sim:200"], False, 1.5, None,
        detail, 3, 4, 5, "reported",
    )  # fmt: skip
    request_log.add(line)
    request_log.flush()
    told = json.loads(sink.written)
    assert list(told) == ["event", *RequestLine.__struct_fields__]
    assert told.pop("event") == "request"
    assert told.pop("time") == "2026-01-02T00:00:00Z"
    assert told.pop("detail") == (detail and detail.replace(KEY, "sk-***"))
    assert told == {name: getattr(line, name) for name in told}
    assert line.detail == detail


def test_an_unknown_type_is_told_as_its_redacted_text() -> None:
    assert encode_line({"path": Path("/") / KEY}) == b'{"path":"/sk-***"}'
    assert json.loads(encode_line({"path": Path("\udcff") / KEY})) == {"path": "\udcff/sk-***"}
