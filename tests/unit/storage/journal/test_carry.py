import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollway.billing.journal import Entry, Record, RecordKind, fold, frame
from tollway.storage.journal.carry import read_back, still_counting
from tollway.storage.journal.segment import Segment, Trace
from unit.storage.journal.faulty import FaultyFiles, ids

A, B = ids(1, 2)


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def oldest(tmp_path: Path, files: FaultyFiles) -> Segment:
    """Two requests began here; the progress of the first is in a later segment."""
    oldest, later = Segment(tmp_path / "00000001.journal", files), Segment(tmp_path / "00000002.journal", files)
    for segment, kind, request_id in (
        (oldest, RecordKind.OPEN, A),
        (oldest, RecordKind.CLOSE, B),
        (later, RecordKind.PROGRESS, A),
    ):
        record = frame(kind, request_id, kind.name.encode())
        trace = oldest.requests.setdefault(request_id, Trace(oldest))
        trace.note(kind, (segment, segment.append(record), len(record)))
    return oldest


def test_what_counts_is_read_back_in_order_from_wherever_it_lies(oldest: Segment, files: FaultyFiles) -> None:
    wanted = [(RecordKind.OPEN, A), (RecordKind.PROGRESS, A), (RecordKind.CLOSE, B)]
    read = read_back(oldest, files, bytes_max=1000)
    assert read == [(kind, request_id, frame(kind, request_id, kind.name.encode())) for kind, request_id in wanted]
    assert len(files.calls["open_to_read"]) == len(files.calls["close"]) == 2


def test_too_much_is_left_where_it_is(oldest: Segment, files: FaultyFiles) -> None:
    size = 3 * 32 + len("OPEN") + len("PROGRESS") + len("CLOSE")
    assert read_back(oldest, files, bytes_max=size) is not None
    assert read_back(oldest, files, bytes_max=size - 1) is None
    assert len(files.calls["open_to_read"]) == 2


@pytest.mark.parametrize("place", [0, 20, 32])
def test_a_record_that_went_bad_is_not_passed_on(place: int, oldest: Segment, files: FaultyFiles) -> None:
    data = bytearray(oldest.path.read_bytes())
    data[place] ^= 1
    oldest.path.write_bytes(data)
    assert read_back(oldest, files, bytes_max=1000) is None
    assert len(files.calls["close"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        frame(RecordKind.OPEN, B, b"OPEN"),
        frame(RecordKind.OPEN, A, b"OP") + b"??",
        b"??" + frame(RecordKind.OPEN, A, b"OP"),
        bytes(36),
    ],
    ids=["other request", "bytes behind", "bytes before", "zeros"],
)
def test_anything_else_in_its_place_is_noticed(other: bytes, oldest: Segment, files: FaultyFiles) -> None:
    oldest.path.write_bytes(other + oldest.path.read_bytes()[36:])
    assert read_back(oldest, files, bytes_max=1000) is None


def test_a_file_that_cannot_be_read_is_told(oldest: Segment, files: FaultyFiles) -> None:
    files.refuse("read_part", errno.EIO)
    with pytest.raises(OSError):
        read_back(oldest, files, bytes_max=1000)
    assert len(files.calls["close"]) == 1


def _possible(steps: list[tuple[RecordKind, str]]) -> list[tuple[RecordKind, str, bytes]]:
    """Attempts differ, and once a request has ended only its acknowledgement follows."""
    ended: set[str] = set()
    history = []
    for number, (kind, request_id) in enumerate(steps):
        if request_id not in ended or kind is RecordKind.ACK:
            history.append((kind, request_id, b"%d" % number))
        if kind in (RecordKind.CLOSE, RecordKind.RELEASE):
            ended.add(request_id)
    return history


steps = st.tuples(st.sampled_from(RecordKind), st.sampled_from(ids(1, 2)))
histories = st.lists(steps, max_size=12).map(_possible)


@settings(max_examples=300)
@given(histories, st.integers(0, 12), st.integers(0, 12))
def test_what_still_counts_can_be_written_again_and_cut_off(
    history: list[tuple[RecordKind, str, bytes]], start: int, cut: int
) -> None:
    """After a failed sync: all before `start` is durable, the rest is written again, and the process may die there."""
    before = [Record(*one) for one in history]
    again = [Record(*one) for one in still_counting(history[start:])]
    assert fold(before + again[:cut]) == fold(before)
    assert sorted(fold(before[:start] + again).entries, key=by_id) == sorted(fold(before).entries, key=by_id)


def by_id(entry: Entry) -> str:
    return entry.request_id


def test_what_is_superseded_is_left_out() -> None:
    open_1, open_2, open_3 = [(RecordKind.OPEN, A, mark) for mark in (b"1", b"2", b"3")]
    some, more = [(RecordKind.PROGRESS, A, mark) for mark in (b"some", b"more")]
    close, acknowledgement = (RecordKind.CLOSE, A, b""), (RecordKind.ACK, A, b"")
    other = (RecordKind.PROGRESS, B, b"")
    assert still_counting([open_1, some, open_2, some, other, more]) == [open_2, other, more]
    assert still_counting([open_2, some, close, acknowledgement]) == [open_2, close, acknowledgement]
    assert still_counting([some, open_3]) == [open_3]
