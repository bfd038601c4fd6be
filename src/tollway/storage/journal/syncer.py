"""The one thread that waits for the disk. It is handed one job at a time and tells the event loop how that ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final

from tollway.clock import monotonic
from tollway.storage.journal.files import Files
from tollway.storage.journal.segment import Segment
from tollway.storage.journal.segments import SyncJob

THREAD_NAME: Final = "tollway-journal"


@dataclass(frozen=True, slots=True)
class Synced:
    """How a job ended and how long the disk took. `error`: nothing of the job counts as durable."""

    job: SyncJob
    seconds: float
    error: OSError | None


class Syncer:
    """`on_end` is called on the loop, once for each job, before the files that are not needed any more are unlinked."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, folder: Path, files: Files, on_end: Callable[[Synced], None]
    ) -> None:
        self._loop = loop
        self._folder = folder
        self._files = files
        self._on_end = on_end
        self._doomed: list[Segment] = []
        self._jobs: SimpleQueue[SyncJob | None] = SimpleQueue()
        # A daemon: a disk that never answers must not keep the process from ending.
        self._thread = Thread(target=self._work, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def start(self, job: SyncJob) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        """Wait for what was started, then for the thread to end."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            synced = self._sync(job)
            try:
                self._loop.call_soon_threadsafe(self._on_end, synced)
            except RuntimeError:  # the loop is closed: nobody is left to hear of it
                return
            if synced.error is None:
                self._doomed += job.doomed
                self._unlink()

    def _sync(self, job: SyncJob) -> Synced:
        started = monotonic()
        error = None
        try:
            for segment in job.segments:
                segment.sync()
            if job.is_folder_changed:
                self._files.sync_folder(self._folder)
        except OSError as refused:
            error = refused
        return Synced(job, monotonic() - started, error)

    def _unlink(self) -> None:
        """Strictly from the oldest: a request may be open in one segment and acknowledged in a later one. Where that is
        refused, it is tried again after the next sync."""
        try:
            while self._doomed:
                self._files.unlink(self._doomed[0].path)
                self._files.sync_folder(self._folder)
                del self._doomed[0]
        except OSError:
            return
