"""One file of a journal, and where in such files the records of a request lie."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from tollway.billing.journal import RecordKind
from tollway.storage.journal.files import Files

Frame: TypeAlias = tuple[RecordKind, str, bytes]  # kind, request id, the bytes of the record
Place: TypeAlias = tuple["Segment", int, int]  # offset and size in bytes

# Reading a member of an Enum costs as much as a call (Python 3.11), so each is read once.
_OPEN: Final = RecordKind.OPEN
_PROGRESS: Final = RecordKind.PROGRESS


class Trace(Struct, eq=False):
    """The records of one request that a replay would need. `home`: the segment that is kept because of them."""

    home: "Segment | None" = None
    open: Place | None = None
    progress: Place | None = None
    close: Place | None = None

    def note(self, kind: RecordKind, place: Place) -> None:
        """A record of this request, neither RELEASE nor ACK, was written there."""
        if kind is _PROGRESS:
            self.progress = place
            return
        self.progress = None
        if kind is _OPEN:
            self.open = place
        else:
            self.close = place

    def places(self) -> tuple[Place, ...]:
        """In the order in which they have to be read."""
        return tuple(place for place in (self.open, self.progress, self.close) if place)


class Segment:
    """Appended to until it is full or fails. Ends with a whole record unless it `is_abandoned`.

    `requests`: those whose first record is here and which still need it, by id.
    """

    __slots__ = ("_descriptor", "_files", "is_abandoned", "is_proven", "path", "requests", "size")

    def __init__(self, path: Path, files: Files) -> None:
        """Creates the file; raises OSError."""
        self.path = path
        self.size = 0
        self.is_abandoned = False
        self.is_proven = False  # a part of it is known to be durable
        self.requests: dict[str, Trace] = {}
        self._files = files
        self._descriptor: int | None = files.create(path)

    @property
    def is_open(self) -> bool:
        return self._descriptor is not None

    def append(self, data: bytes) -> int:
        """Write whole records, all or none of their bytes; the offset at which they start. Raises OSError."""
        assert self._descriptor is not None, "nothing is written to a segment that was shut"
        if self.is_abandoned:
            raise OSError(errno.EIO, "the segment ends with a torn record")
        start = self.size
        try:
            written = self._files.write(self._descriptor, data)
        except OSError:
            self._cut()
            raise
        if written != len(data):
            self._cut()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # what the next write would have said
        self.size = start + written
        return start

    def sync(self) -> None:
        """Wait until the disk has everything. In the sync thread. Raises OSError; then never call it again."""
        assert self._descriptor is not None, "a segment is durable, or has failed, before it is shut"
        self._files.sync(self._descriptor)

    def shut(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):  # the descriptor is gone all the same, and durability was asked for before
                self._files.close(self._descriptor)
            self._descriptor = None

    def _cut(self) -> None:
        """Back to the last whole record; where that fails too, nothing may follow the torn one."""
        assert self._descriptor is not None
        try:
            self._files.truncate(self._descriptor, self.size)
        except OSError:
            self.is_abandoned = True
