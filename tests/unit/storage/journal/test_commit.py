"""Who waits for which sync. What the records are is the business of test_writer.py."""

import asyncio
import errno
from pathlib import Path

from tollway.billing.journal import RecordKind, frame
from tollway.storage.journal.commit import GroupCommit, Waiter
from tollway.storage.journal.segment import Frame
from tollway.storage.journal.segments import Segments
from unit.storage.journal.faulty import FaultyFiles, ids, rounds, run

RECORD: Frame = (RecordKind.ACK, ids(1)[0], frame(RecordKind.ACK, ids(1)[0], b""))


class Bench:
    """A group commit and what it said."""

    def __init__(self, folder: Path, interval_s: float = 3600.0) -> None:
        self.files = FaultyFiles()
        self.segments = Segments(folder, self.files, segment_bytes=10_000, segments_max=1)
        self.failed: list[tuple[str, list[Frame], list[Waiter]]] = []
        self.succeeded = 0
        self.commit = GroupCommit(
            self.segments,
            folder,
            self.files,
            interval_s=interval_s,
            on_success=self._on_success,
            on_failure=lambda error, frames, waiters: self.failed.append((str(error), frames, waiters)),
        )

    def _on_success(self, seconds: float) -> None:
        assert seconds > 0
        self.succeeded += 1

    def write(self, waiters: int = 1) -> list[Waiter]:
        made = [asyncio.get_running_loop().create_future() for _ in range(waiters)]
        self.segments.append([RECORD])
        self.commit.wrote(list(made))
        return made

    async def idle(self) -> None:
        while self.commit.is_busy:
            await rounds(1)

    def stop(self) -> None:
        self.commit.stop()
        self.segments.shut()


def test_those_before_a_sync_share_it_and_those_after_its_beginning_share_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.files.hold_syncs()
        first = bench.write(3) + bench.write(2)
        bench.commit.begin_if_awaited()
        await bench.files.sync_began()
        second = bench.write(2)
        bench.commit.begin_if_awaited()  # one is under way
        assert bench.succeeded == 0
        bench.files.let_syncs_go()
        first[-1].add_done_callback(lambda _: done.extend(waiter.done() for waiter in second))
        done: list[bool] = []
        await asyncio.gather(*second)
        assert done == [False, False]
        assert all(waiter.done() for waiter in first)
        await bench.idle()
        assert bench.succeeded == len(bench.files.calls["sync"]) == 2
        bench.stop()

    run(scenario())


def test_without_anybody_waiting_no_sync_begins(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.write(0)
        bench.commit.begin_if_awaited()
        assert not bench.commit.is_busy
        bench.stop()

    run(scenario())


def test_a_failure_hands_over_everything_and_everybody(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.files.hold_syncs()
        bench.files.refuse("sync", errno.EIO, errno.EIO)
        waiters = bench.write()
        bench.commit.begin()
        await bench.files.sync_began()
        waiters += bench.write()
        bench.files.let_syncs_go()
        await bench.idle()
        assert bench.failed == [("[Errno 5] Input/output error", [RECORD, RECORD], waiters)]
        assert bench.commit.failed_in_a_row == 1
        bench.write()
        bench.commit.begin()
        await bench.idle()
        assert bench.commit.failed_in_a_row == 2
        await asyncio.gather(*_begun(bench))
        assert (bench.commit.failed_in_a_row, bench.succeeded) == (0, 1)
        bench.stop()

    run(scenario())


def _begun(bench: Bench) -> list[Waiter]:
    waiters = bench.write()
    bench.commit.begin()
    return waiters


def test_the_timer_finds_nothing_when_all_is_durable(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        await asyncio.gather(*_begun(bench))
        bench.commit._grow_overdue()
        assert not bench.commit.is_busy
        bench.stop()

    run(scenario())


def test_the_timer_is_stopped(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path, interval_s=0.0)
        bench.write(0)
        bench.stop()
        await rounds()
        assert not bench.commit.is_busy

    run(scenario())
