"""What the journal promises, with a disk that obeys and with one that refuses at any step."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from tollway.billing.journal import Entry, RecordKind, frame, scan
from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal import writer as module
from tollway.storage.journal.folders import create
from tollway.storage.journal.writer import JournalWriter
from unit.storage.journal.faulty import FaultyFiles, HandSyncer, durable, ids, on_disk, outcome, rounds, run, segments

A, B, C, D = ids(1, 2, 3, 4)
NEVER_S = 3600.0  # no sync but those that somebody waits for


def make(root: Path, files: FaultyFiles | None = None, **options: Any) -> JournalWriter:
    options = {"reserve_bytes": 4096, "sync_interval_s": NEVER_S, **options}
    return JournalWriter(create(root, "worker"), files=files or FaultyFiles(), **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "worker"


def known(request_id: str, **fields: Any) -> Entry:
    return Entry(
        **{"request_id": request_id, "open": None, "progress": None, "close": None, "released": False, **fields}
    )


async def settled(journal: JournalWriter) -> None:
    """Until everything buffered is written and no sync is under way."""
    await rounds()
    while journal._commit.is_busy:
        await rounds(1)


# Writing


def test_an_open_is_written_when_it_returns_and_what_was_buffered_before_it(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"a")
        assert on_disk(folder).entries == (known(A, open=b"a"),)
        waiter = journal.close(A, b"end")
        journal.release(B)  # never opened: nothing to say
        journal.open(C, b"c")
        assert len(files.calls["write"]) == 2
        found = scan(segments(folder)[0].read_bytes())
        assert [record.kind.name for record in found.records] == ["OPEN", "CLOSE", "OPEN"]
        await waiter
        assert len(files.calls["write"]) == 2
        await journal.shut()

    run(scenario())


def test_records_of_one_round_are_one_write_and_releases_wait_for_no_disk(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        for request_id in (A, B, C):
            journal.open(request_id, b"")
        journal.release(A)
        journal.acknowledge([B, D])
        assert len(files.calls["write"]) == 3
        await rounds()
        assert len(files.calls["write"]) == 4
        assert on_disk(folder).entries == (known(A, open=b"", released=True), known(C, open=b""))
        assert files.calls["sync"] == []
        assert journal.health().open_ids == 1
        await journal.shut()

    run(scenario())


def test_progress_is_one_write_for_all_that_are_open(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"a")
        journal.open(B, b"b")
        journal.progress([(A, b"1"), (B, b"2"), (C, b"3")])
        journal.progress([(C, b"3")])
        assert len(files.calls["write"]) == 3
        assert on_disk(folder).entries == (known(A, open=b"a", progress=b"1"), known(B, open=b"b", progress=b"2"))
        journal.open(A, b"again")
        assert on_disk(folder).entries[0] == known(A, open=b"again")
        await journal.shut()

    run(scenario())


# Durability


def test_a_close_ends_when_its_record_is_durable_and_no_sooner(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files)
        journal.open(A, b"a")
        waiter = journal.close(A, b"end")
        await files.sync_began()
        await rounds()
        assert not waiter.done()
        files.let_syncs_go()
        await waiter
        assert durable(folder, files).entries == (known(A, open=b"a", close=b"end"),)
        assert files.calls["sync_folder"] == [folder]  # a file without a name is not durable
        await journal.shut()

    run(scenario())


def test_a_thousand_closes_of_one_round_share_a_sync_and_those_that_come_meanwhile_the_next(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        heard: list[float] = []
        journal = make(root, files, on_sync=heard.append)
        files.hold_syncs()
        first = [journal.close(request_id, b"x" * 400) for request_id in ids(*range(1000))]
        await files.sync_began()
        later = []
        for request_id in ids(*range(1000, 2000)):
            later.append(journal.close(request_id, b"x" * 400))
            await rounds(1)
        files.let_syncs_go()
        await asyncio.gather(*first)
        await asyncio.gather(*later)
        assert len(files.calls["sync"]) == 2
        health = journal.health()
        assert (health.syncs, health.open_ids, health.unsynced_bytes) == (2, 2000, 0)
        assert len(heard) == 2
        assert health.last_sync_s == heard[-1] > 0
        await journal.shut()

    run(scenario())


def test_what_is_buffered_when_a_sync_ends_is_written_before_the_next_begins(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        journal = make(root)
        syncer = HandSyncer.of(journal)
        first = journal.close(A, b"")
        await rounds(1)
        second = journal.close(B, b"")
        syncer.turn()
        syncer.turn()
        assert first.done()
        assert second.done()
        syncer.is_eager = True
        await journal.shut()

    with HandSyncer.everywhere():
        run(scenario())


def test_a_close_during_a_sync_is_in_the_next_even_when_its_round_has_not_ended(root: Path, folder: Path) -> None:
    """The end of a sync writes what is buffered before the next begins."""

    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files)
        first = journal.close(A, b"")
        await files.sync_began()
        first.add_done_callback(lambda _: late.append(journal.close(C, b"")))
        late: list[asyncio.Future[None]] = []
        second = journal.close(B, b"")
        files.let_syncs_go()
        await second
        await late[0]
        assert [entry.request_id for entry in durable(folder, files).entries] == [A, B, C]
        await journal.shut()

    run(scenario())


def test_one_who_stopped_waiting_disturbs_nobody(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        gone, stays = journal.close(A, b""), journal.close(B, b"")
        gone.cancel()
        await stays
        files.refuse("sync", errno.EIO, errno.EIO)
        gone, stays = journal.close(C, b""), journal.close(D, b"")
        gone.cancel()
        with pytest.raises(JournalUnavailableError):
            await stays
        await journal.shut()

    run(scenario())


def test_what_nobody_waits_for_is_synced_after_a_while(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        heard = asyncio.Event()
        journal = make(root, files, sync_interval_s=0.0, on_sync=lambda _: heard.set())
        journal.open(A, b"a")
        await heard.wait()
        assert durable(folder, files).entries == (known(A, open=b"a"),)
        await journal.shut()

    run(scenario())


def test_what_grew_overdue_during_a_sync_is_synced_after_it(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files, sync_interval_s=0.0)
        journal.close(A, b"")
        await files.sync_began()
        journal.open(B, b"")
        await rounds()
        files.let_syncs_go()
        await files.sync_began()
        await journal.shut()
        assert durable(folder, files).entries == (known(A, close=b""), known(B, open=b""))

    run(scenario())


def test_nothing_new_is_not_synced_again(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files, sync_interval_s=0.0)
        waiter = journal.close(A, b"")
        await files.sync_began()
        await rounds()  # the timer finds bytes that the sync under way covers
        files.let_syncs_go()
        await waiter
        assert not journal._commit.is_busy
        await journal.shut()

    run(scenario())


def test_many_bytes_are_synced_at_once(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        for request_id in ids(1, 2):
            journal.open(request_id, bytes(600_000))
        await files.sync_began()
        await journal.shut()

    run(scenario())


def test_a_disk_that_is_too_slow_refuses_new_requests_but_takes_closes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNSYNCED_BYTES_MAX", 1000)

    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files)
        journal.open(A, bytes(400))
        journal.open(B, bytes(600))
        assert journal.health().refusal == "the disk of the journal is too slow"
        with pytest.raises(JournalUnavailableError, match="too slow"):
            journal.open(C, b"")
        journal.progress([(A, b"1")])
        assert journal.dropped == 1
        waiter = journal.close(A, b"end")
        files.let_syncs_go()
        await waiter
        assert journal.is_available
        journal.open(C, b"")
        await journal.shut()

    run(scenario())


# A failed fsync


def test_after_a_failed_fsync_the_records_are_made_durable_in_a_new_segment(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        await journal.close(A, b"before")
        files.hold_syncs()
        files.refuse("sync", errno.EIO)
        journal.open(B, b"b")
        during = journal.close(B, b"during")
        await files.sync_began()
        await files.sync_began()
        journal.open(C, b"c")
        after = journal.close(C, b"after")
        await rounds()
        files.let_syncs_go()
        await asyncio.gather(during, after)
        first, second = segments(folder)
        assert files.calls["sync"] == [first, first, second]  # not once more on the one that failed
        ends = {"close": b"during"}, {"close": b"after"}
        assert durable(folder, files).entries == (
            known(A, close=b"before"),
            known(B, open=b"b", **ends[0]),
            known(C, open=b"c", **ends[1]),
        )
        assert (journal.is_available, journal.failures) == (True, 1)
        journal.acknowledge([A, B, C])
        await journal.close(D, b"")
        await journal.close(D, b"")
        assert segments(folder) == [second]  # kept until all that began in it were acknowledged
        await journal.shut()

    run(scenario())


def test_what_was_buffered_when_a_sync_failed_follows_what_is_written_anew(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        syncer = HandSyncer.of(journal)
        journal.open(A, b"")
        waiters = [journal.close(B, b"")]
        await rounds(1)
        waiters.append(journal.close(A, b""))
        files.refuse("sync", errno.EIO)
        syncer.turn()
        records = scan(segments(folder)[-1].read_bytes()).records
        assert [(record.kind.name, record.request_id) for record in records] == [
            ("OPEN", A),
            ("CLOSE", B),
            ("CLOSE", A),
        ]
        syncer.turn()
        assert await outcome(waiters) == [None, None]
        syncer.is_eager = True
        await journal.shut()

    with HandSyncer.everywhere():
        run(scenario())


def test_records_of_failed_syncs_count_for_what_can_be_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNSYNCED_BYTES_MAX", 1000)

    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        files.refuse("sync", errno.EIO, errno.EIO)
        with pytest.raises(JournalUnavailableError):
            await journal.close(A, bytes(1000))
        assert journal.close(B, b"").exception() is not None
        assert journal.dropped == 1
        await journal.shut()

    run(scenario())


def test_a_sync_of_before_does_not_open_a_journal_that_cannot_be_written(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files)
        first = journal.close(A, b"")
        await files.sync_began()
        files.refuse_always("write", errno.EIO)
        with pytest.raises(JournalUnavailableError):
            await journal.close(B, b"")
        files.let_syncs_go()
        await first
        assert not journal.is_available
        await journal.shut()

    run(scenario())


def test_a_folder_that_cannot_be_synced_is_a_failed_fsync_too(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.refuse("sync_folder", errno.EIO)
        journal = make(root, files)
        await journal.close(A, b"")
        assert len({*files.calls["sync"]}) == 2
        await journal.shut()

    run(scenario())


def test_after_two_failed_fsyncs_nothing_is_promised_until_a_probe_was_durable(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"a")
        files.refuse_always("sync", errno.EIO)
        with pytest.raises(JournalUnavailableError, match="Input/output error"):
            await journal.close(A, b"end")
        assert not journal.is_available
        with pytest.raises(JournalUnavailableError):
            journal.open(B, b"")
        with pytest.raises(JournalUnavailableError):
            await journal.close(C, b"late")
        journal.progress([(A, b"1")])
        assert journal.dropped == 1

        for _ in range(3):  # a probe is not durable: refused still, and the disk does not fill with copies
            journal.probe()
            await settled(journal)
            assert not journal.is_available
        assert len(segments(folder)) <= 2

        files.allow("sync")
        journal.probe()
        assert not journal.is_available  # written, but not durable yet
        await settled(journal)
        assert journal.is_available
        journal.open(B, b"b")
        await journal.close(B, b"end")
        entries = (known(A, open=b"a", close=b"end"), known(C, close=b"late"), known(B, open=b"b", close=b"end"))
        assert durable(folder, files).entries == entries
        assert len({*files.calls["sync"]}) == len([*files.calls["create"]])
        journal.acknowledge([A, B, C])
        await journal.shut()
        assert not folder.exists()

    run(scenario())


def test_a_failed_fsync_that_nothing_hangs_on_is_forgotten(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal._commit.begin()  # as a probe does, with nothing written
        files.refuse("sync", errno.EIO)
        await settled(journal)
        await journal.close(A, b"")
        assert journal.is_available
        await journal.shut()

    run(scenario())


# A full disk


def test_a_full_disk_refuses_new_requests_and_lets_those_under_way_end(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles(room=4096 + 500)
        journal = make(root, files)
        journal.open(A, bytes(300))
        with pytest.raises(JournalUnavailableError, match="No space left"):
            journal.open(B, bytes(300))
        assert on_disk(folder).entries == (known(A, open=bytes(300)),)
        assert not (folder / "reserve").exists()
        with pytest.raises(JournalUnavailableError):
            journal.open(C, b"")  # it would fit, but the room is for ends
        journal.progress([(A, b"1")])
        assert journal.dropped == 1
        await journal.close(A, bytes(900))
        assert not journal.is_available
        journal.probe()  # no room for the reserve
        assert not journal.is_available
        files.room = 10_000
        journal.probe()
        assert journal.is_available
        assert (folder / "reserve").stat().st_size == 4096
        journal.open(B, b"")
        assert durable(folder, files).entries == (known(A, open=bytes(300), close=bytes(900)),)
        await journal.shut()

    run(scenario())


def test_a_close_that_meets_a_full_disk_takes_the_room_of_the_reserve_and_then_fails(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles(room=4096)
        journal = make(root, files)
        await journal.close(A, bytes(2000))
        await journal.close(B, bytes(2000))
        with pytest.raises(JournalUnavailableError, match="No space left"):
            await journal.close(C, bytes(2000))
        failed = journal.close(D, b"small")
        with pytest.raises(JournalUnavailableError):
            await failed
        files.room = 3000
        journal.probe()  # what was kept is written; for new requests there is no room
        assert not journal.is_available
        await journal.shut()
        entries = [entry.request_id for entry in durable(folder, files).entries]
        assert entries == [A, B, C, D]

    run(scenario())


def test_what_cannot_be_kept_in_memory_either_is_dropped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNSYNCED_BYTES_MAX", 1000)

    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"")
        files.refuse_always("write", errno.EIO)
        kept = [journal.close(request_id, bytes(600)) for request_id in (B, C)]
        assert {type(error) for error in await outcome(kept)} == {JournalUnavailableError}
        refused = journal.close(D, b"")
        assert refused.done()
        files.allow("write")
        journal.probe()  # before the round has ended: the one that was dropped must not count as written
        with pytest.raises(JournalUnavailableError):
            await refused
        assert journal.dropped == 1
        await journal.close(A, b"")
        assert journal.is_available
        await journal.shut()

    run(scenario())


def test_one_who_waits_for_what_was_settled_before_it_was_written_is_not_forgotten(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is not needed any more, and for the acknowledgement there was no room in memory."""
    monkeypatch.setattr(module, "UNSYNCED_BYTES_MAX", 100)

    async def scenario() -> None:
        files = FaultyFiles()
        files.refuse("create", errno.EIO)
        journal = make(root, files)
        waiter = journal.close(A, bytes(200))
        journal.acknowledge([A])
        assert journal.dropped == 1
        journal.probe()
        await waiter
        await journal.shut()

    run(scenario())


def test_what_was_settled_meanwhile_needs_no_room_any_more(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles(room=4096)
        journal = make(root, files)
        failed = journal.close(A, bytes(9000))
        with pytest.raises(JournalUnavailableError):
            await failed
        journal.acknowledge([A])
        files.room = 4096 + 40
        journal.probe()
        assert journal.is_available
        assert on_disk(folder).entries == ()
        await journal.shut()

    run(scenario())


def test_a_disk_that_the_journal_itself_has_filled_is_freed_by_settling(root: Path, folder: Path) -> None:
    """There is no room for the acknowledgements, so they cannot come before the files go."""

    async def scenario() -> None:
        files = FaultyFiles(room=4096 + 3500)
        journal = make(root, files, segment_bytes=1000)
        opened = ids(*range(30))
        for request_id in opened:
            try:
                journal.open(request_id, bytes(300))
            except JournalUnavailableError:
                break
        closes = [journal.close(request_id, bytes(300)) for request_id in journal._segments.requests]
        await outcome(closes)
        files.room = 0
        journal.acknowledge(opened)
        await settled(journal)
        journal.probe()
        assert not journal.is_available
        await settled(journal)
        while len(segments(folder)) > 1:  # the thread deletes after it has reported
            await rounds(1)
        journal.probe()
        assert journal.is_available
        assert on_disk(folder).entries == ()
        await journal.shut()

    run(scenario())


def test_a_torn_record_that_cannot_be_cut_off_is_the_last_of_its_segment(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles(room=4096 + 100)
        journal = make(root, files)
        journal.open(A, b"a")
        files.refuse("truncate", errno.EIO)
        with pytest.raises(JournalUnavailableError):
            journal.open(B, bytes(300))
        await journal.close(A, b"end")
        first, second = segments(folder)
        assert scan(first.read_bytes()).is_torn
        assert not scan(second.read_bytes()).is_torn
        assert durable(folder, files).entries == (known(A, open=b"a", close=b"end"),)
        await journal.shut()

    run(scenario())


def test_a_write_that_fails_for_another_reason_is_tried_in_a_new_segment(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"a")
        files.refuse("write", errno.EIO)
        await journal.close(A, b"end")
        assert len(segments(folder)) == 2
        assert journal.is_available  # a sync went through since
        await journal.shut()

    run(scenario())


def test_progress_that_could_not_be_written_is_not_written_later(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"a")
        files.refuse("write", errno.EIO)
        journal.progress([(A, b"1")])
        assert journal.dropped == 1
        await journal.close(B, b"")
        assert on_disk(folder).entries[0] == known(A, open=b"a")
        await journal.shut()

    run(scenario())


def test_a_disk_that_refuses_from_the_start_is_looked_at_again(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.refuse("create", errno.ENOSPC, errno.EROFS)
        journal = make(root, files)
        with pytest.raises(JournalUnavailableError, match="No space left"):
            journal.open(A, b"")
        journal.probe()
        with pytest.raises(JournalUnavailableError, match="Read-only"):
            await journal.close(B, b"")
        journal.probe()
        journal.open(A, b"")
        assert {entry.request_id for entry in on_disk(folder).entries} == {A, B}
        calls = {call: len(made) for call, made in files.calls.items()}
        journal.probe()  # healthy: nothing is asked of the disk
        assert {call: len(made) for call, made in files.calls.items()} == calls
        await journal.shut()

    run(scenario())


def test_a_further_attempt_that_is_refused_leaves_the_first_as_it_was(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"first")
        files.refuse("write", errno.EIO)
        with pytest.raises(JournalUnavailableError):
            journal.open(A, b"second")
        assert on_disk(folder).entries == (known(A, open=b"first"),)
        assert journal.health().open_ids == 1
        journal.release(A)
        await journal.shut()
        assert not folder.exists()

    run(scenario())


def test_a_probe_that_finds_the_disk_as_it_was_changes_nothing(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        files.refuse_always("write", errno.EIO)
        with pytest.raises(JournalUnavailableError):
            await journal.close(A, b"end")
        journal.probe()
        journal.probe()
        assert not journal.is_available
        assert len(segments(folder)) == 1
        files.allow("write")
        journal.probe()
        assert journal.is_available
        assert on_disk(folder).entries == (known(A, close=b"end"),)
        await journal.shut()

    run(scenario())


def test_a_disk_that_cannot_set_room_aside_serves_without(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.refuse_always("allocate", errno.EOPNOTSUPP)
        journal = make(root, files)
        journal.open(A, b"")
        journal.probe()
        assert journal.is_available
        await journal.shut()

    run(scenario())


# The end


def test_a_journal_with_nothing_left_to_do_takes_its_folder_along(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        journal = make(root)
        journal.open(A, b"")
        journal.open(B, b"")
        journal.release(A)
        journal.acknowledge([B])
        await journal.shut()
        assert list(root.iterdir()) == []

    run(scenario())


def test_a_journal_with_something_left_stays_durable_and_unlocked(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        journal = make(root, files)
        journal.open(A, b"a")
        pending = journal.close(B, b"end")
        await journal.shut()
        await pending
        assert durable(folder, files).entries == (known(A, open=b"a"), known(B, close=b"end"))
        assert sorted(path.name for path in folder.iterdir()) == ["00000001.journal", "lock"]
        with pytest.raises(JournalUnavailableError, match="shut"):
            journal.open(C, b"")
        with pytest.raises(JournalUnavailableError):
            await journal.close(C, b"")
        journal.probe()
        assert journal.health().refusal == "the journal is shut"

    run(scenario())


def test_shutting_waits_for_the_sync_under_way_and_survives_a_failed_one(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files)
        waiter = journal.close(A, b"")
        await files.sync_began()
        journal.open(B, b"")
        files.refuse("sync", errno.EIO, errno.EIO)
        ending = asyncio.ensure_future(journal.shut())
        await rounds()
        assert not ending.done()
        files.let_syncs_go()
        await ending
        with pytest.raises(JournalUnavailableError):
            await waiter
        assert {entry.request_id for entry in on_disk(folder).entries} == {A, B}

    run(scenario())


def test_shutting_waits_also_for_a_sync_of_nothing(root: Path) -> None:
    async def scenario() -> None:
        files = FaultyFiles()
        files.hold_syncs()
        journal = make(root, files)
        journal._commit.begin()
        await files.sync_began()
        ending = asyncio.ensure_future(journal.shut())
        await rounds()
        files.let_syncs_go()
        await ending

    run(scenario())


def test_a_folder_that_cannot_be_deleted_is_left(root: Path, folder: Path) -> None:
    async def scenario() -> None:
        journal = make(root)
        (folder / "strange").mkdir()
        await journal.shut()

    run(scenario())


def test_the_steps_of_a_full_disk_one_byte_at_a_time(tmp_path: Path) -> None:
    """However many bytes still fit: an open that returned is there, one that was refused is not, closes get in."""

    async def scenario() -> None:
        size = len(frame(RecordKind.OPEN, A, b"a" * 10))
        for room in range(4 * size):
            files = FaultyFiles(room=4096 + room)
            root = tmp_path / str(room)
            journal = make(root, files)
            opened = []
            for request_id in (A, B, C, D):
                try:
                    journal.open(request_id, b"a" * 10)
                    opened.append(request_id)
                except JournalUnavailableError:
                    break
            assert len(opened) == room // size
            await asyncio.gather(*(journal.close(request_id, b"end") for request_id in opened))
            expected = tuple(known(request_id, open=b"a" * 10, close=b"end") for request_id in opened)
            assert durable(root / "worker", files).entries == expected
            await journal.shut()

    run(scenario())
