"""Which files there are, and when they go. Sync jobs are done by hand here, without a thread."""

import errno
from pathlib import Path

import pytest

from tollway.billing.journal import RecordKind, frame
from tollway.storage.journal.segment import Frame
from tollway.storage.journal.segments import Segments, SyncJob
from unit.storage.journal.faulty import FaultyFiles, ids, on_disk, segments

OPEN, PROGRESS, CLOSE, RELEASE, ACK = RecordKind
RECORD_BYTES = 100


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def log(tmp_path: Path, files: FaultyFiles) -> Segments:
    """Five records make a segment."""
    return Segments(tmp_path, files, segment_bytes=5 * RECORD_BYTES, segments_max=3)


def record(kind: RecordKind, request_id: str, mark: str = "") -> Frame:
    return kind, request_id, frame(kind, request_id, mark.encode().ljust(RECORD_BYTES - 32, b"."))


def opened(log: Segments, *request_ids: str) -> None:
    for request_id in request_ids:
        log.track(request_id)
        log.append([record(OPEN, request_id)])


def done(log: Segments, files: FaultyFiles) -> SyncJob:
    """Do a sync job to its end."""
    job = log.begin_sync()
    log.confirm(job)
    for segment in job.doomed:
        files.unlink(segment.path)
    return job


def names(folder: Path) -> list[int]:
    return [int(path.stem) for path in segments(folder)]


def test_a_full_segment_is_followed_by_another_and_shut_once_it_is_durable(
    log: Segments, files: FaultyFiles, tmp_path: Path
) -> None:
    opened(log, *ids(*range(5)))
    assert names(tmp_path) == [1]
    opened(log, *ids(5))
    assert names(tmp_path) == [1, 2]
    assert log.disk_bytes == log.unsynced_bytes == 6 * RECORD_BYTES
    job = log.begin_sync()
    assert [segment.is_open for segment in job.segments] == [True, True]
    assert job.is_folder_changed
    opened(log, *ids(6))
    log.confirm(job)
    assert [segment.is_open for segment in job.segments] == [False, True]
    assert log.unsynced_bytes == RECORD_BYTES
    job = done(log, files)
    assert (len(job.segments), job.is_folder_changed, log.has_unsynced) == (1, False, False)


def test_a_record_larger_than_a_segment_has_one_to_itself(log: Segments, tmp_path: Path) -> None:
    large = frame(OPEN, ids(1)[0], bytes(6 * RECORD_BYTES))
    for _ in range(2):
        log.append([(OPEN, ids(1)[0], large)])
    assert names(tmp_path) == [1, 2]


def test_segments_go_from_the_oldest_once_nobody_needs_them(log: Segments, files: FaultyFiles, tmp_path: Path) -> None:
    opened(log, *ids(*range(11)))
    for request_id in ids(*range(5, 10)):
        assert log.forget(request_id)
    done(log, files)
    assert names(tmp_path) == [1, 2, 3]  # the second waits for the first
    for request_id in ids(*range(5)):
        log.forget(request_id)
    job = done(log, files)
    assert [segment.path.stem for segment in job.doomed] == ["00000001", "00000002"]
    log.forget(ids(10)[0])
    assert done(log, files).doomed == ()  # the current one stays
    assert (names(tmp_path), len(log)) == ([3], 1)


def test_what_is_not_tracked_needs_no_segment(log: Segments, files: FaultyFiles) -> None:
    log.append([record(ACK, ids(1)[0])])
    assert not log.forget(ids(1)[0])
    log.track(ids(2)[0])
    assert log.forget(ids(2)[0])  # nothing of it was written
    log.rotate()
    assert len(done(log, files).doomed) == 1


def test_a_few_long_requests_are_carried_forward(tmp_path: Path, files: FaultyFiles) -> None:
    log = Segments(tmp_path, files, segment_bytes=40 * RECORD_BYTES, segments_max=3)
    long, closed = ids(1000, 1001)
    opened(log, long, closed)
    log.append([record(PROGRESS, long, "first")])
    for number in range(2, 102):
        opened(log, *ids(number))
        log.forget(ids(number)[0])
    log.append([record(PROGRESS, long, "latest"), record(CLOSE, closed)])
    before = {entry.request_id: entry for entry in on_disk(tmp_path).entries}
    assert names(tmp_path) == [1, 2, 3]
    opened(log, *ids(*range(102, 132)))
    done(log, files)
    assert names(tmp_path) == [3, 4]
    after = {entry.request_id: entry for entry in on_disk(tmp_path).entries}
    assert [after[request_id] for request_id in (long, closed)] == [before[request_id] for request_id in (long, closed)]
    for request_id in (long, closed, *ids(*range(102, 132))):
        assert request_id in after
        log.forget(request_id)
    log.rotate()
    assert len(done(log, files).doomed) == 2


def test_a_segment_is_deleted_only_after_what_was_carried_is_durable(tmp_path: Path, files: FaultyFiles) -> None:
    log = Segments(tmp_path, files, segment_bytes=8 * RECORD_BYTES, segments_max=1)
    opened(log, *ids(*range(8)))
    job = log.begin_sync()
    for request_id in ids(*range(7)):
        log.forget(request_id)
    opened(log, *ids(8))  # a new segment, with the last of the first carried into it
    log.confirm(job)
    assert [entry.request_id for entry in on_disk(tmp_path).entries if entry.request_id == ids(7)[0]]
    assert job.doomed == ()
    following = log.begin_sync()
    assert [segment.path.stem for segment in following.doomed] == ["00000001"]
    assert [segment.path.stem for segment in following.segments] == ["00000001", "00000002"]


def test_many_open_requests_are_not_carried(log: Segments, files: FaultyFiles, tmp_path: Path) -> None:
    """They would fill the new segment, and soon have to be carried again."""
    opened(log, *ids(*range(26)))
    done(log, files)
    assert names(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert files.calls["open_to_read"] == []


def test_segments_that_will_go_anyway_do_not_count(tmp_path: Path, files: FaultyFiles) -> None:
    log = Segments(tmp_path, files, segment_bytes=8 * RECORD_BYTES, segments_max=2)
    opened(log, *ids(1))
    log.rotate()
    opened(log, *ids(2))
    log.forget(ids(1)[0])
    log.rotate()
    assert (len(log), files.calls["open_to_read"]) == (3, [])


def test_what_cannot_be_read_back_keeps_its_segment(tmp_path: Path, files: FaultyFiles) -> None:
    log = Segments(tmp_path, files, segment_bytes=8 * RECORD_BYTES, segments_max=1)
    opened(log, *ids(*range(8)))
    for request_id in ids(*range(7)):
        log.forget(request_id)
    files.refuse("read_part", errno.EIO)
    opened(log, *ids(8))
    done(log, files)
    assert names(tmp_path) == [1, 2]
    opened(log, *ids(*range(9, 17)))
    done(log, files)
    assert names(tmp_path) == [2, 3]  # it went well the next time


def test_a_failed_sync_hands_back_what_has_to_be_written_anew_in_order(
    log: Segments, files: FaultyFiles, tmp_path: Path
) -> None:
    opened(log, *ids(1))
    done(log, files)
    before, during = [record(OPEN, request_id) for request_id in ids(2, 3)]
    for request_id in ids(2, 3):
        log.track(request_id)
    log.append([before])
    job = log.begin_sync()
    log.append([during])
    assert log.abandon(job) == [before, during]
    assert not any(segment.is_open for segment in job.segments)
    assert (log.unsynced_bytes, names(tmp_path)) == (0, [1])
    log.append([before, during])
    assert names(tmp_path) == [1, 2]
    assert log.begin_sync().is_folder_changed


def test_a_segment_that_never_was_durable_goes_once_it_is_written_anew(
    log: Segments, files: FaultyFiles, tmp_path: Path
) -> None:
    opened(log, *ids(1))
    frames = log.abandon(log.begin_sync())
    assert names(tmp_path) == [1]
    files.refuse("write", errno.EIO)
    with pytest.raises(OSError):
        log.append(frames)
    assert names(tmp_path) == [1, 2]  # not yet
    files.refuse("unlink", errno.EIO)
    log.append(frames)
    assert names(tmp_path) == [1, 2]  # that could not be done now
    assert [segment.path.stem for segment in log.begin_sync().doomed] == ["00000001"]
    assert [entry.request_id for entry in on_disk(tmp_path).entries] == ids(1)


def test_what_is_superseded_is_not_written_anew(log: Segments) -> None:
    opened(log, *ids(1))
    latest = record(PROGRESS, ids(1)[0], "latest")
    log.append([record(PROGRESS, ids(1)[0], "first"), latest])
    assert log.abandon(log.begin_sync()) == [record(OPEN, ids(1)[0]), latest]


def test_of_what_waits_only_what_is_needed_is_written(log: Segments) -> None:
    opened(log, *ids(1, 2))
    log.forget(ids(2)[0])
    needed = [record(CLOSE, ids(1)[0]), record(RELEASE, ids(2)[0]), record(ACK, ids(3)[0])]
    assert log.still_needed([record(PROGRESS, ids(1)[0]), *needed, record(CLOSE, ids(2)[0])]) == needed


def test_copies_do_not_gather_while_no_sync_succeeds(log: Segments, tmp_path: Path) -> None:
    opened(log, *ids(1))
    for number in range(2, 6):
        log.append(log.abandon(log.begin_sync()))
        assert names(tmp_path) == [number]
    assert log.disk_bytes == log.unsynced_bytes == RECORD_BYTES


def test_nothing_is_carried_before_what_was_lost_is_written_anew(tmp_path: Path, files: FaultyFiles) -> None:
    """Carried records would pass for the rest, and the only copy of the rest would go."""
    log = Segments(tmp_path, files, segment_bytes=8 * RECORD_BYTES, segments_max=2)
    opened(log, *ids(1))
    done(log, files)
    log.rotate()
    opened(log, *ids(2))
    frames = log.abandon(log.begin_sync())
    files.refuse("write", errno.EIO)
    with pytest.raises(OSError):
        log.append(frames)
    assert {entry.request_id for entry in on_disk(tmp_path).entries} == set(ids(1, 2))


def test_those_to_be_deleted_are_kept_when_the_sync_fails(log: Segments, files: FaultyFiles, tmp_path: Path) -> None:
    opened(log, *ids(1))
    done(log, files)
    log.forget(ids(1)[0])
    log.rotate()
    opened(log, *ids(2))
    job = log.begin_sync()
    assert len(job.doomed) == 1
    frames = log.abandon(job)
    assert len(log) == 2
    log.append(frames)
    done(log, files)
    assert names(tmp_path) == [3]


def test_a_new_segment_is_not_abandoned_for_another_new_one(log: Segments, tmp_path: Path) -> None:
    log.abandon_current()  # there is none
    log.ensure_current()
    log.abandon_current()
    log.ensure_current()
    assert names(tmp_path) == [1]
    opened(log, *ids(1))
    log.abandon_current()
    log.ensure_current()
    assert names(tmp_path) == [1, 2]
    log.shut()
