import errno
from pathlib import Path

import pytest

from tollway.billing.journal import RecordKind
from tollway.storage.journal.segment import Segment, Trace
from unit.storage.journal.faulty import FaultyFiles


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def segment(tmp_path: Path, files: FaultyFiles) -> Segment:
    return Segment(tmp_path / "00000001.journal", files)


def test_data_is_appended_and_its_place_told(segment: Segment) -> None:
    assert [segment.append(b"one"), segment.append(b"four")] == [0, 3]
    assert segment.size == 7
    assert segment.path.read_bytes() == b"onefour"


@pytest.mark.parametrize("room", [None, 2], ids=["error", "short"])
def test_a_write_that_fails_leaves_nothing_behind(room: int | None, segment: Segment, files: FaultyFiles) -> None:
    segment.append(b"one")
    files.room = room
    if room is None:
        files.refuse("write", errno.EIO)
    with pytest.raises(OSError):
        segment.append(b"four")
    assert segment.path.read_bytes() == b"one"
    assert not segment.is_abandoned
    files.room = None
    assert segment.append(b"five") == 3


def test_what_cannot_be_cut_off_ends_the_segment(segment: Segment, files: FaultyFiles) -> None:
    files.room = 2
    files.refuse("truncate", errno.EIO)
    with pytest.raises(OSError, match="No space left"):
        segment.append(b"four")
    assert segment.is_abandoned
    with pytest.raises(OSError, match="torn"):
        segment.append(b"five")
    assert segment.path.read_bytes() == b"fo"


def test_a_descriptor_is_closed_once_whatever_closing_says(segment: Segment, files: FaultyFiles) -> None:
    segment.sync()
    files.refuse("close", errno.EIO)
    assert segment.is_open
    segment.shut()
    segment.shut()
    assert not segment.is_open
    assert len(files.calls["close"]) == 1


def test_a_trace_knows_the_records_that_count_in_their_order(segment: Segment) -> None:
    trace = Trace()
    assert trace.places() == ()
    trace.note(RecordKind.OPEN, (segment, 0, 1))
    trace.note(RecordKind.PROGRESS, (segment, 1, 1))
    trace.note(RecordKind.PROGRESS, (segment, 2, 1))
    assert [place[1] for place in trace.places()] == [0, 2]
    trace.note(RecordKind.OPEN, (segment, 3, 1))
    assert [place[1] for place in trace.places()] == [3]
    trace.note(RecordKind.PROGRESS, (segment, 4, 1))
    trace.note(RecordKind.CLOSE, (segment, 5, 1))
    assert [place[1] for place in trace.places()] == [3, 5]
