"""Files that refuse when they are told to, a disk that can be full, and a sync that waits for the test."""

import asyncio
import errno
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tollway.billing.journal import Replay, fold, scan
from tollway.storage.journal import commit
from tollway.storage.journal.files import Files
from tollway.storage.journal.segment import Segment
from tollway.storage.journal.segments import SyncJob
from tollway.storage.journal.syncer import Synced, Syncer
from tollway.storage.journal.writer import JournalWriter

WAIT_S = 20  # for a thread; only ever used up by a test that fails


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class FaultyFiles(Files):
    """Real files. `refuse` scripts errors, `room` bytes are left on the disk, `hold` keeps syncs waiting."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.calls: dict[str, list[Any]] = defaultdict(list)
        self.durable: dict[Path, int] = {}  # bytes of a file that a sync covered
        self._script: dict[str, list[OSError | None]] = defaultdict(list)
        self._always: dict[str, OSError] = {}
        self._paths: dict[int, Path] = {}
        self._gate = threading.Event()
        self._gate.set()
        self._entered = threading.Semaphore(0)

    # What a test tells it

    def refuse(self, call: str, *numbers: int | None) -> None:
        """The next calls end with these errors; None lets one pass."""
        self._script[call] += [None if number is None else error(number) for number in numbers]

    def refuse_always(self, call: str, number: int) -> None:
        self._always[call] = error(number)

    def allow(self, call: str) -> None:
        self._always.pop(call, None)

    def hold_syncs(self) -> None:
        self._gate.clear()

    def let_syncs_go(self) -> None:
        self._gate.set()

    async def sync_began(self) -> None:
        """Wait until one more sync is under way."""
        assert await asyncio.to_thread(self._entered.acquire, timeout=WAIT_S)

    # Files

    def create(self, path: Path) -> int:
        self._meet("create", path)
        descriptor = super().create(path)
        self._paths[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        try:
            self._meet("write", data)
        except OSError:
            os.write(descriptor, data[: len(data) // 2])  # whatever the disk did before it failed
            raise
        if self.room is None:
            return os.write(descriptor, data)
        fitting = min(self.room, len(data))
        if not fitting:
            raise error(errno.ENOSPC)
        self.room -= fitting
        return os.write(descriptor, data[:fitting])

    def sync(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        self._entered.release()
        assert self._gate.wait(WAIT_S)
        self._meet("sync", self._paths.get(descriptor))
        if descriptor in self._paths:
            self.durable[self._paths[descriptor]] = size

    def truncate(self, descriptor: int, size: int) -> None:
        self._meet("truncate", size)
        if self.room is not None:
            self.room += os.fstat(descriptor).st_size - size
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        self._paths.pop(descriptor, None)
        os.close(descriptor)
        self._meet("close", descriptor)

    def open_to_read(self, path: Path) -> int:
        self._meet("open_to_read", path)
        return super().open_to_read(path)

    def read_part(self, descriptor: int, size: int, offset: int) -> bytes:
        self._meet("read_part", offset)
        return os.pread(descriptor, size, offset)

    def read(self, path: Path) -> bytes:
        self._meet("read", path)
        return super().read(path)

    def allocate(self, path: Path, size: int) -> None:
        self._meet("allocate", size)
        if self.room is not None:
            if self.room < size:
                raise error(errno.ENOSPC)
            self.room -= size
        super().allocate(path, size)

    def unlink(self, path: Path) -> None:
        self._meet("unlink", path)
        if self.room is not None and path.exists():
            self.room += path.stat().st_size
        super().unlink(path)

    def sync_folder(self, path: Path) -> None:
        self._meet("sync_folder", path)

    def _meet(self, call: str, argument: object) -> None:
        self.calls[call].append(argument)
        refusal = self._script[call].pop(0) if self._script[call] else self._always.get(call)
        if refusal is not None:
            raise refusal


class HandSyncer(Syncer):
    """Does its job on the loop when it is told to, so that a test knows what happened before and what after it."""

    def __init__(self, loop: Any, folder: Path, files: FaultyFiles, on_end: Callable[[Synced], None]) -> None:
        self._folder, self._files, self._on_end = folder, files, on_end
        self._doomed: list[Segment] = []
        self._job: SyncJob | None = None
        self.is_eager = False

    @classmethod
    @contextmanager
    def everywhere(cls) -> Iterator[None]:
        """Writers made in the block have one of these."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commit, "Syncer", cls)
            yield

    @classmethod
    def of(cls, journal: JournalWriter) -> "HandSyncer":
        syncer = journal._commit._syncer
        assert isinstance(syncer, cls)
        return syncer

    def start(self, job: SyncJob) -> None:
        assert self._job is None, "one job at a time"
        self._job = job
        if self.is_eager:
            asyncio.get_running_loop().call_soon(self.turn)

    def stop(self) -> None:
        assert self._job is None

    def turn(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            synced = self._sync(job)
            self._on_end(synced)
            if synced.error is None:
                self._doomed += job.doomed
                self._unlink()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def on_disk(folder: Path) -> Replay:
    """What a replay would find if the process died now."""
    return fold(record for path in segments(folder) for record in scan(path.read_bytes()).records)


def durable(folder: Path, files: FaultyFiles) -> Replay:
    """What a replay would find if the power failed now: of each file, what a sync covered."""
    return fold(
        record for path in segments(folder) for record in scan(path.read_bytes()[: files.durable.get(path, 0)]).records
    )


def ids(*numbers: int) -> list[str]:
    return [f"{number:032x}" for number in numbers]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """On a loop of its own; what a callback raised is raised here."""
    raised: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        await scenario

    asyncio.run(watched())
    assert not raised, raised


async def rounds(count: int = 3) -> None:
    """Let callbacks of the loop run that are due."""
    for _ in range(count):
        await asyncio.sleep(0)


async def outcome(futures: Iterable[asyncio.Future[None]]) -> list[BaseException | None]:
    return await asyncio.gather(*futures, return_exceptions=True)
