import asyncio
import errno
from pathlib import Path

from tollway.storage.journal.segment import Segment
from tollway.storage.journal.segments import SyncJob
from tollway.storage.journal.syncer import Synced, Syncer
from unit.storage.journal.faulty import FaultyFiles, run


def job(*segments: Segment, doomed: tuple[Segment, ...] = (), is_folder_changed: bool = False) -> SyncJob:
    return SyncJob(segments, (), doomed, is_folder_changed)


class Bench:
    """A syncer and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.files = FaultyFiles()
        self.first = Segment(folder / "00000001.journal", self.files)
        self.second = Segment(folder / "00000002.journal", self.files)
        self._ended: asyncio.Queue[Synced] = asyncio.Queue()
        self.syncer = Syncer(asyncio.get_running_loop(), folder, self.files, self._ended.put_nowait)

    async def done(self, one: SyncJob) -> Synced:
        self.syncer.start(one)
        return await self._ended.get()

    def stop(self) -> None:
        self.syncer.stop()
        self.first.shut()
        self.second.shut()


def test_segments_then_the_folder_then_what_nobody_needs(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        one = job(bench.first, bench.second, doomed=(bench.first,), is_folder_changed=True)
        synced = await bench.done(one)
        assert synced.job is one
        assert synced.error is None
        assert synced.seconds > 0
        assert bench.files.calls["sync"] == [bench.first.path, bench.second.path]
        bench.stop()
        assert bench.files.calls["sync_folder"] == [tmp_path, tmp_path]
        assert [path.name for path in tmp_path.iterdir()] == ["00000002.journal"]

    run(scenario())


def test_a_failure_is_reported_and_nothing_is_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.files.refuse("sync", errno.EIO)
        synced = await bench.done(job(bench.first, bench.second, doomed=(bench.first,), is_folder_changed=True))
        assert synced.error is not None
        assert bench.files.calls["sync"] == [bench.first.path]
        assert bench.files.calls["sync_folder"] == []
        bench.files.refuse("sync_folder", errno.EIO)
        assert (await bench.done(job(is_folder_changed=True))).error is not None
        bench.stop()
        assert len(list(tmp_path.iterdir())) == 2

    run(scenario())


def test_what_cannot_be_deleted_stays_and_disturbs_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.files.refuse("unlink", errno.EIO)
        assert (await bench.done(job(doomed=(bench.first,)))).error is None
        assert (await bench.done(job(doomed=(bench.second,)))).error is None
        bench.stop()
        assert bench.files.calls["unlink"] == [bench.first.path, bench.first.path, bench.second.path]
        assert list(tmp_path.iterdir()) == []


def test_no_segment_is_deleted_before_an_older_one(tmp_path: Path) -> None:
    """A request is open in the older, and acknowledged in the younger."""

    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.files.refuse_always("unlink", errno.EIO)
        await bench.done(job(doomed=(bench.first,)))
        await bench.done(job(doomed=(bench.second,)))
        bench.stop()
        assert set(bench.files.calls["unlink"]) == {bench.first.path}

    run(scenario())


def test_the_thread_ends_when_the_loop_is_gone(tmp_path: Path) -> None:
    bench: list[Bench] = []

    async def scenario() -> None:
        bench.append(Bench(tmp_path))
        bench[0].files.hold_syncs()
        bench[0].syncer.start(job(bench[0].first))
        await bench[0].files.sync_began()

    run(scenario())
    bench[0].files.let_syncs_go()
    bench[0].stop()
