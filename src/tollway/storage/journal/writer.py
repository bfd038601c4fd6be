"""The journal of one worker, written on its event loop: one write(2) for a record or for many (guarantees M4).

When the disk refuses: a full one refuses new requests, while those under way are closed out of the reserve; after a
failed fsync whatever may have been lost is written to a new segment, once; when nothing helps, whoever waits is told
so, and requests are refused. `probe` finds out when that is over.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from tollway.billing.journal import RecordKind, frame
from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal.commit import GroupCommit, Waiter
from tollway.storage.journal.files import Files, is_full
from tollway.storage.journal.folders import Folder
from tollway.storage.journal.reserve import Reserve
from tollway.storage.journal.segment import Frame
from tollway.storage.journal.segments import Segments

SEGMENT_BYTES: Final = 32 << 20
SEGMENTS_MAX: Final = 8
RESERVE_BYTES: Final = 8 << 20
SYNC_INTERVAL_S: Final = 1.0
UNSYNCED_BYTES_MAX: Final = 16 << 20  # of records kept in memory while the disk is slow or refuses

_OPEN: Final = RecordKind.OPEN
_PROGRESS: Final = RecordKind.PROGRESS
_CLOSE: Final = RecordKind.CLOSE
_RELEASE: Final = RecordKind.RELEASE
_ACK: Final = RecordKind.ACK


class Health(Struct, frozen=True):
    """How a journal does. `refusal`: why it takes no new request. `open_ids`: neither acknowledged nor released yet.

    `dropped`: records given up: progress, and what was more than could be kept while nothing could be written.
    """

    refusal: str | None
    open_ids: int
    segments: int
    disk_bytes: int
    unsynced_bytes: int
    syncs: int
    last_sync_s: float
    failures: int
    dropped: int


class JournalWriter:
    """Owns `folder` until `shut`. Made and used on one running event loop; only `shut` waits.

    A disk that refuses from the start is no error either. `on_sync` hears how many seconds each sync took.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        files: Files | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        segments_max: int = SEGMENTS_MAX,
        reserve_bytes: int = RESERVE_BYTES,
        sync_interval_s: float = SYNC_INTERVAL_S,
        on_sync: Callable[[float], None] | None = None,
    ) -> None:
        files = files or Files()
        self.failures = self.dropped = self.syncs = 0
        self.last_sync_s = 0.0
        self._on_sync = on_sync
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._reserve = Reserve(folder.path, files, reserve_bytes)
        self._segments = Segments(folder.path, files, segment_bytes=segment_bytes, segments_max=segments_max)
        self._commit = GroupCommit(
            self._segments,
            folder.path,
            files,
            interval_s=sync_interval_s,
            on_success=self._on_synced,
            on_failure=self._on_sync_failed,
        )
        self._refusal: str | None = "the journal was not looked at yet"
        self._is_shut = False
        self._is_stuck = True  # nothing can be written before a probe
        self._buffer: list[Frame] = []
        self._held_bytes = 0  # of the buffer, while stuck
        self._unwritten: list[Waiter] = []  # who waits for records in the buffer
        self._is_flush_due = False
        self.probe()

    @property
    def is_available(self) -> bool:
        return self._refusal is None and self._segments.unsynced_bytes <= UNSYNCED_BYTES_MAX

    def health(self) -> Health:
        return Health(
            refusal=self._why_refused() if not self.is_available else None,
            open_ids=len(self._segments.requests),
            segments=len(self._segments),
            disk_bytes=self._segments.disk_bytes + self._reserve.disk_bytes,
            unsynced_bytes=self._segments.unsynced_bytes,
            syncs=self.syncs,
            last_sync_s=self.last_sync_s,
            failures=self.failures,
            dropped=self.dropped,
        )

    # Records

    def open(self, request_id: str, payload: bytes) -> None:
        """The request may go upstream: this survives the process. Raises JournalUnavailableError; then it must not."""
        if not self.is_available:
            raise JournalUnavailableError(self._why_refused())
        self._buffer.append((_OPEN, request_id, frame(_OPEN, request_id, payload)))
        is_new = self._segments.track(request_id)
        if not self._write():
            self._buffer.pop()
            if is_new:
                self._segments.forget(request_id)
            raise JournalUnavailableError(self._why_refused())

    def progress(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """What was generated so far, by request id. Dropped and counted when the journal is not healthy: the room that
        is left is for closing. Requests that are not open are passed over."""
        requests = self._segments.requests
        frames = [(_PROGRESS, key, frame(_PROGRESS, key, payload)) for key, payload in entries if key in requests]
        if not frames:
            return
        before = len(self._buffer)
        self._buffer += frames
        if not (self.is_available and self._write()):
            del self._buffer[before:]
            self.dropped += len(frames)

    def close(self, request_id: str, payload: bytes) -> Waiter:
        """The outcome. The future ends once it is durable, and fails with JournalUnavailableError when that cannot be
        had: then settle in the database at once, and acknowledge."""
        record = frame(_CLOSE, request_id, payload)
        waiter: Waiter = self._loop.create_future()
        self._segments.track(request_id)
        if self._put((_CLOSE, request_id, record)):
            self._unwritten.append(waiter)
        else:
            waiter.set_exception(JournalUnavailableError(self._why_refused()))
        return waiter

    def release(self, request_id: str) -> None:
        """The request ended without an outcome."""
        self._end(_RELEASE, request_id)

    def acknowledge(self, request_ids: Iterable[str]) -> None:
        """These are settled; their records are not needed any more."""
        for request_id in request_ids:
            self._end(_ACK, request_id)

    def _end(self, kind: RecordKind, request_id: str) -> None:
        if self._segments.forget(request_id):
            self._put((kind, request_id, frame(kind, request_id, b"")))

    def _put(self, record: Frame) -> bool:
        """Into the buffer, which is written at the end of this round of the loop; whether it was kept."""
        if self._is_stuck and self._held_bytes >= UNSYNCED_BYTES_MAX:
            self.dropped += 1
            return False
        self._buffer.append(record)
        self._held_bytes += len(record[2])
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)
        return True

    # Writing

    def _write(self) -> bool:
        """The whole buffer, or nothing."""
        try:
            self._segments.append(self._buffer)
        except OSError as error:
            self._refuse(error)
            return False
        self._buffer = []
        self._held_bytes = 0
        waiters, self._unwritten = self._unwritten, []
        self._commit.wrote(waiters)
        return True

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._buffer or self._unwritten:
            self._write_or_give_up()
        self._commit.begin_if_awaited()

    def _write_or_give_up(self) -> bool:
        """A second attempt has the room of the reserve, or a new segment. Records given up stay in the buffer for a
        probe, but nobody waits for them any more."""
        if not self._is_stuck and (self._write() or self._write()):
            return True
        self._is_stuck = True
        waiters, self._unwritten = self._unwritten, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(JournalUnavailableError(self._why_refused()))
        return False

    def _refuse(self, error: OSError) -> None:
        """No new requests until a probe. What must be written all the same gets room, or a new segment, for it."""
        self.failures += 1
        self._refusal = f"the disk of the journal refuses: {error.strerror}"
        if is_full(error):
            self._reserve.give_up()
        else:
            self._segments.abandon_current()

    def _why_refused(self) -> str:
        return self._refusal or "the disk of the journal is too slow"

    def probe(self) -> None:
        """Look whether the disk takes records again and has room to set aside. Call it every second; while all is well
        nothing is asked of the disk."""
        if self._is_shut:
            return
        if not self._recovers():
            if self._segments.has_doomed:
                self._commit.begin()  # they are deleted at its end; their room may be all that is missing
        elif self._commit.failed_in_a_row > 1:
            self._commit.begin()  # its end tells
        else:
            self._refusal = None

    def _recovers(self) -> bool:
        try:
            self._segments.ensure_current()
            self._is_stuck = False
            self._buffer = self._segments.still_needed(self._buffer)
            if self._buffer and not self._write_or_give_up():
                return False
            self._reserve.take()
        except OSError as error:
            self._refuse(error)
            return False
        return True

    # Durability

    def _on_synced(self, seconds: float) -> None:
        self.syncs += 1
        self.last_sync_s = seconds
        if self._on_sync is not None:
            self._on_sync(seconds)
        if self._reserve.is_held and not (self._is_stuck or self._is_shut):
            self._refusal = None
        self._flush()

    def _on_sync_failed(self, error: OSError, frames: list[Frame], waiters: list[Waiter]) -> None:
        """The first time is answered with a new segment, to be synced at once. After the second in a row, nothing is
        promised until a probe was durable."""
        if self._commit.failed_in_a_row > 1 or is_full(error):
            self._refuse(error)
        else:
            self.failures += 1
        self._buffer[:0] = frames
        self._held_bytes += sum(len(record) for _, _, record in frames)
        self._unwritten[:0] = waiters
        self._is_stuck = self._is_stuck or self._commit.failed_in_a_row > 1
        if self._write_or_give_up():
            self._commit.begin()

    async def shut(self) -> None:
        """Make everything durable and let go of the folder; delete it when it has nothing left to do. Call it once."""
        self._is_shut = True
        self._refusal = "the journal is shut"
        self._flush()
        while self._segments.has_unsynced or self._commit.is_busy:
            last: Waiter = self._loop.create_future()
            self._commit.wrote([last])
            self._commit.begin()
            with suppress(JournalUnavailableError):
                await last
        self._is_stuck = True
        self._commit.stop()
        self._segments.shut()
        self._reserve.give_up()
        if not self._segments.requests:
            with suppress(OSError):  # then it is left, and a replay will find nothing to do
                self._folder.remove()
        self._folder.release()
