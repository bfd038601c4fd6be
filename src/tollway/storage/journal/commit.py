"""Group commit: one sync at a time, shared by everything that was written before it began.

The next begins when one ends and somebody waits; where nobody does, when a second or enough bytes have gathered.
A sync takes 150 µs of processor time and two changes of threads, as much as a whole request. So while several share
each, which is how a busy worker is known, the next waits until a moment has passed since the last began, and more
share it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from tollway.clock import monotonic
from tollway.storage.journal.files import Files
from tollway.storage.journal.segment import Frame
from tollway.storage.journal.segments import Segments
from tollway.storage.journal.syncer import Synced, Syncer

SYNC_BYTES: Final = 1 << 20
BUSY_WAITERS: Final = 4  # of one sync
BUSY_INTERVAL_S: Final = 0.002  # from the beginning of a sync to that of the next, in a busy worker

Waiter: TypeAlias = "asyncio.Future[None]"


class GroupCommit:
    """`on_failure` gets the records whose durability is unknown and those who wait for them; nobody else waits then.

    `on_success` is called after each sync, before the next begins: what it writes shares that one.
    """

    def __init__(
        self,
        segments: Segments,
        folder: Path,
        files: Files,
        *,
        interval_s: float,
        on_success: Callable[[float], None],
        on_failure: Callable[[OSError, list[Frame], list[Waiter]], None],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.failed_in_a_row = 0
        self._loop = asyncio.get_running_loop()
        self._segments = segments
        self._syncer = Syncer(self._loop, folder, files, self._on_end)
        self._interval_s = interval_s
        self._on_success = on_success
        self._on_failure = on_failure
        self._waiting: list[Waiter] = []  # for what was written since the last sync began
        self._syncing: list[Waiter] | None = None  # for what was written before; None: no sync is under way
        self._timer: asyncio.TimerHandle | None = None
        self._is_overdue = False
        self._now = now
        self._not_before = 0.0  # monotonic seconds: the next sync of a busy worker
        self._put_off: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        return self._syncing is not None

    def wrote(self, waiters: list[Waiter]) -> None:
        """Records were written, and these wait for them. They are not kept waiting, the others at most a while."""
        self._waiting += waiters
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval_s, self._grow_overdue)
        if self._segments.unsynced_bytes >= SYNC_BYTES:
            self.begin()

    def begin_if_awaited(self) -> None:
        if self._syncing is not None or self._put_off is not None:
            return
        if self._waiting or (self._is_overdue and self._segments.has_unsynced):
            early_s = self._not_before - self._now() if self._not_before else 0.0
            if early_s > 0:
                self._put_off = self._loop.call_later(early_s, self.begin)
            else:
                self.begin()

    def begin(self) -> None:
        """Sync what was written so far, unless a sync is under way: its end looks again."""
        if self._syncing is None:
            self._is_overdue = False
            if self._put_off is not None:
                self._put_off.cancel()
                self._put_off = None
            self._syncing, self._waiting = self._waiting, []
            is_busy = len(self._syncing) >= BUSY_WAITERS
            self._not_before = self._now() + BUSY_INTERVAL_S if is_busy else 0.0
            self._syncer.start(self._segments.begin_sync())

    def stop(self) -> None:
        """End the thread, once it has done what was begun."""
        for timer in (self._timer, self._put_off):
            if timer is not None:
                timer.cancel()
        self._syncer.stop()

    def _grow_overdue(self) -> None:
        self._timer = None
        if self._segments.has_unsynced:
            self._is_overdue = True
            self.begin()

    def _on_end(self, synced: Synced) -> None:
        waiters = self._syncing or []
        self._syncing = None
        if synced.error is not None:
            self.failed_in_a_row += 1
            waiters += self._waiting
            self._waiting = []
            self._on_failure(synced.error, self._segments.abandon(synced.job), waiters)
            return
        self.failed_in_a_row = 0
        self._segments.confirm(synced.job)
        for waiter in waiters:
            if not waiter.done():  # whoever waited may have been cancelled
                waiter.set_result(None)
        self._on_success(synced.seconds)
        self.begin_if_awaited()
