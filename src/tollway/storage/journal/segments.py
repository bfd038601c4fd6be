"""The segments of one journal: appending, rotation, what is not durable yet, and which files are still needed.

Everything here runs on the event loop; the sync thread is handed a SyncJob and touches nothing else.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tollway.billing.journal import RecordKind
from tollway.storage.journal.carry import read_back, still_counting
from tollway.storage.journal.files import Files
from tollway.storage.journal.segment import Frame, Segment, Trace

ENDS: Final = (RecordKind.RELEASE, RecordKind.ACK)
CARRIED_PART_MAX: Final = 8  # an eighth of a segment; more would stall the loop, and soon have to be carried again


@dataclass(frozen=True, slots=True)
class SyncJob:
    """What the sync thread has to do: make `segments` durable, then the names in the folder, then unlink `doomed`.

    `finished`: those of the segments that will not grow any more.
    """

    segments: tuple[Segment, ...]
    finished: tuple[Segment, ...]
    doomed: tuple[Segment, ...]
    is_folder_changed: bool


class Segments:
    """Oldest first; the last one may be `current`, the one that is written."""

    def __init__(self, folder: Path, files: Files, *, segment_bytes: int, segments_max: int) -> None:
        self.requests: dict[str, Trace] = {}  # every request that is neither acknowledged nor released
        self.unsynced_bytes = 0
        self._folder = folder
        self._files = files
        self._segment_bytes = segment_bytes
        self._segments_max = segments_max
        self._all: list[Segment] = []
        self._current: Segment | None = None
        self._number = 0
        self._is_folder_changed = False
        self._unsynced: list[Frame] = []  # written since the last sync began
        self._syncing: list[Frame] = []  # written before it
        self._syncing_bytes = 0
        self._superseded: list[Segment] = []  # all that is in them has to be written anew

    def __len__(self) -> int:
        return len(self._all)

    @property
    def disk_bytes(self) -> int:
        return sum(segment.size for segment in self._all)

    @property
    def has_unsynced(self) -> bool:
        return self.unsynced_bytes > 0

    @property
    def has_doomed(self) -> bool:
        """Whether the oldest segment is needed by nobody."""
        return bool(self._all) and self._all[0] is not self._current and not self._all[0].requests

    # Requests

    def track(self, request_id: str) -> bool:
        """Keep what is written of a request from now on; whether it is new."""
        if request_id in self.requests:
            return False
        self.requests[request_id] = Trace()
        return True

    def forget(self, request_id: str) -> bool:
        """Nothing of the request is needed any more; whether it was tracked."""
        trace = self.requests.pop(request_id, None)
        if trace is None:
            return False
        if trace.home is not None:
            del trace.home.requests[request_id]
        return True

    def still_needed(self, frames: Sequence[Frame]) -> list[Frame]:
        """Of records that wait to be written: not what is superseded, nor what belongs to a request that is over."""
        return still_counting([frame for frame in frames if frame[0] in ENDS or frame[1] in self.requests])

    # Writing

    def append(self, frames: Sequence[Frame]) -> None:
        """Write all frames in one call, or none. Raises OSError."""
        data = frames[0][2] if len(frames) == 1 else b"".join([frame[2] for frame in frames])
        segment = self._current
        if segment is None or segment.is_abandoned or 0 < segment.size > self._segment_bytes - len(data):
            segment = self.rotate()
        place = segment.append(data)
        requests = self.requests
        for kind, request_id, record in frames:
            trace = requests.get(request_id)
            if trace is not None:
                trace.note(kind, (segment, place, len(record)))
                if trace.home is None:
                    trace.home = segment
                    segment.requests[request_id] = trace
            place += len(record)
        self._unsynced += frames
        self.unsynced_bytes += len(data)
        if self._superseded:
            self._drop_superseded(segment)

    def ensure_current(self) -> None:
        """Have a segment that can be written. Raises OSError."""
        if self._current is None or self._current.is_abandoned:
            self.rotate()

    def rotate(self) -> Segment:
        """Begin a new segment. Raises OSError, and then nothing has changed."""
        self._number += 1
        segment = Segment(self._folder / f"{self._number:08d}.journal", self._files)
        self._all.append(segment)
        self._current = segment
        self._is_folder_changed = True
        if not self._superseded:  # or what is carried would pass for what has to be written anew
            with suppress(OSError):  # then the old segment stays
                self._carry_forward(segment)
        return segment

    def abandon_current(self) -> None:
        """The next record begins a new segment, unless this one is new."""
        if self._current is not None and self._current.size:
            self._current.is_abandoned = True

    def _carry_forward(self, current: Segment) -> None:
        """A few long streams must not keep an old segment, and with it all that follow, on the disk."""
        needed = [place for place, segment in enumerate(self._all) if segment.requests or segment is current]
        if len(self._all) - needed[0] <= self._segments_max:
            return
        oldest = self._all[needed[0]]
        frames = read_back(oldest, self._files, bytes_max=self._segment_bytes // CARRIED_PART_MAX)
        if frames is None:
            return
        self.append(frames)
        self._hand_over(oldest, current)

    # Durability

    def begin_sync(self) -> SyncJob:
        """Everything written so far, and the files that nobody needs once it is durable. One job at a time."""
        segments = tuple(segment for segment in self._all if segment.is_open)
        doomed = []
        while self.has_doomed:
            doomed.append(self._all.pop(0))
        finished = tuple(segment for segment in segments if segment is not self._current)
        job = SyncJob(segments, finished, tuple(doomed), self._is_folder_changed)
        self._is_folder_changed = False
        self._syncing, self._unsynced = self._unsynced, []
        self._syncing_bytes = self.unsynced_bytes
        return job

    def confirm(self, job: SyncJob) -> None:
        """What the job covered is durable; segments that will not grow any more are shut."""
        self._syncing = []
        self.unsynced_bytes -= self._syncing_bytes
        for segment in job.segments:
            segment.is_proven = True
        for segment in job.finished:
            segment.shut()

    def abandon(self, job: SyncJob) -> list[Frame]:
        """The job failed. Nobody knows what the disk has, and a second fsync would claim that all is well: shut every
        file, and return the records that have to be written anew, in order."""
        frames = self.still_needed(self._syncing + self._unsynced)
        self._syncing, self._unsynced = [], []
        self.unsynced_bytes = 0
        self._all[:0] = job.doomed
        self._current = None
        self.shut()
        self._superseded = [segment for segment in self._all if segment.size and not segment.is_proven]
        return frames

    def _drop_superseded(self, successor: Segment) -> None:
        """A segment that never was durable holds nothing but what was now written anew. Were it kept, a disk on which
        no fsync succeeds would fill with copies."""
        for segment in self._superseded:
            self._hand_over(segment, successor)
            with suppress(OSError):  # then it goes in its turn, like others that nobody needs
                self._files.unlink(segment.path)
                self._all.remove(segment)
        self._superseded = []

    def _hand_over(self, old: Segment, new: Segment) -> None:
        for trace in old.requests.values():
            trace.home = new
        new.requests.update(old.requests)
        old.requests.clear()

    def shut(self) -> None:
        """Let go of every descriptor."""
        for segment in self._all:
            segment.shut()
