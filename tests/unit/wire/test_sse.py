"""The event decoder: the same events however a stream is cut, and never more kept than one event."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.wire.json_body import DEPTH_MAX
from tollway.wire.sse import EventDecoder, read_object

LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data:  c",
        b"data",
        b"data:",
        b"event: x",
        b"id: 1",
        b": comment",
        b"",
        b"",
        b"x\xe2\x80\xa8y",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf"]), st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=12).map(b"".join)
).map(b"".join)


def decode(pieces: list[bytes], event_bytes_max: int = 1_000) -> tuple[list[bytes], bool]:
    decoder = EventDecoder(event_bytes_max)
    found = [one for piece in pieces for one in decoder.feed(piece)]
    return found + decoder.close(), decoder.too_long


def plainly(stream: bytes) -> list[bytes]:
    """What the rules say, written without a thought for cuts."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        if not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


@given(STREAMS)
@example(b"data: a\r\n\r\ndata: b\r\r\ndata: c\n\rdata: d")
def test_the_rules(stream: bytes) -> None:
    assert decode([stream]) == (plainly(stream), False)


@example(b"data:b\r\n\r\ndata:c\r\n\n", 1, 6)
@example(b"data:b\r\n\ndata:c\r\r\n\ndata:d\n\r", 2, 6)
@given(STREAMS | st.binary(max_size=60), st.integers(1, 5), st.sampled_from([6, 1_000]))
def test_how_the_bytes_were_cut_changes_nothing(stream: bytes, size: int, event_bytes_max: int) -> None:
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert decode(pieces, event_bytes_max) == decode([stream], event_bytes_max)


@pytest.mark.parametrize(("size", "is_too_long"), [(10, False), (11, True)])
@pytest.mark.parametrize("ended", [b"", b"\n\n"])
def test_an_event_has_a_most(size: int, is_too_long: bool, ended: bytes) -> None:
    event = b"data: ".ljust(size, b"x")
    found, too_long = decode([b"data: a\n\n", event + ended, b"data: b\n\n"] if ended else [b"data: a\n\n", event], 10)
    assert too_long is is_too_long
    expected = [event[6:], b"b"] if ended else [event[6:]]
    assert found == [b"a", *([] if is_too_long else expected)]


def test_an_endless_line_is_not_kept() -> None:
    decoder = EventDecoder(100)
    for _ in range(1_000):
        assert decoder.feed(b"x" * 50) == []
        assert len(decoder._kept) <= 150
    assert decoder.too_long
    assert decoder.feed(b"\n\ndata: a\n\n") == decoder.close() == []


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{", b"[DONE]", b"\xff", b'{"a":1} x', b'{"a":"\\ud800"}'])
def test_what_is_no_object(data: bytes) -> None:
    assert read_object(data) is None


@pytest.mark.parametrize(("depth", "is_read"), [(DEPTH_MAX, True), (DEPTH_MAX + 1, False), (100_000, False)])
def test_how_deep_an_object_may_be(depth: int, is_read: bool) -> None:
    data = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
    assert (read_object(data) is not None) is is_read


def test_brackets_in_texts_are_not_depth() -> None:
    assert read_object(json.dumps({"a": "{[" * 500}).encode()) == {"a": "{[" * 500}
