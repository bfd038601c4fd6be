"""Group commit: one sync at a time, shared by everything that was written before it began.

The next begins when one ends and somebody waits; where nobody does, when a second or enough bytes have gathered.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from tollway.storage.journal.files import Files
from tollway.storage.journal.segment import Frame
from tollway.storage.journal.segments import Segments
from tollway.storage.journal.syncer import Synced, Syncer

SYNC_BYTES: Final = 1 << 20

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
        if self._waiting or (self._is_overdue and self._segments.has_unsynced):
            self.begin()

    def begin(self) -> None:
        """Sync what was written so far, unless a sync is under way: its end looks again."""
        if self._syncing is None:
            self._is_overdue = False
            self._syncing, self._waiting = self._waiting, []
            self._syncer.start(self._segments.begin_sync())

    def stop(self) -> None:
        """End the thread, once it has done what was begun."""
        if self._timer is not None:
            self._timer.cancel()
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
