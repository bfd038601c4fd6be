"""Journals whose worker is gone: found, owned while they are looked at, read, and deleted once they are settled.

What cannot be settled is set aside beside the root: `damaged-…` are bytes that are no records, `left-…` are the intact
records of requests that could not be settled, in the format of a segment, which may be replayed again.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from tollway.billing.journal import Entry, Record, RecordKind, Replay, Span, fold, frame, scan
from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal.files import Files
from tollway.storage.journal.folders import Folder, unowned

SET_ASIDE: Final = "journal-set-aside"  # beside the root
_DAMAGED: Final = "damaged-"
_LEFT: Final = "left-"


class Damage(Struct, frozen=True):
    """What of a journal is bad. `spans`, `bytes`: in the middle, set aside for the operator to look at.

    `cut_bytes`: at the ends of segments, where a write was under way; nobody was told that these were written.
    """

    spans: int
    bytes: int
    cut_bytes: int


def dead(root: Path, files: Files | None = None) -> Iterator["DeadJournal"]:
    """The journals under `root` that no process has. Each is ours until its `with` block ends; several processes may
    look at the same time, and one gets it. Raises JournalUnavailableError."""
    try:
        for folder in unowned(root):
            yield DeadJournal(folder, files or Files())
    except OSError as error:
        raise JournalUnavailableError(f"no journals can be looked for in {root}: {error}") from error


def journals_in(root: Path) -> frozenset[str]:
    """The workers that have a journal here, living or dead."""
    return (
        frozenset(path.name for path in root.iterdir() if not path.name.startswith("."))
        if root.is_dir()
        else frozenset()
    )


def set_aside_in(root: Path) -> tuple[str, ...]:
    """What nobody has looked at yet: the files beside `root`."""
    return tuple(str(path) for path in sorted((root.parent / SET_ASIDE).glob("*")))


def damaged_in(root: Path) -> bool:
    """Whether bytes that are no records are among them: a disk that does this is not to be trusted (guarantees M4)."""
    return any((root.parent / SET_ASIDE).glob(_DAMAGED + "*"))


class DeadJournal:
    """A context manager that holds the lock. Methods wait for the disk and raise JournalUnavailableError."""

    def __init__(self, folder: Folder, files: Files) -> None:
        self._folder = folder
        self._files = files
        self._damaged: dict[Path, tuple[Span, ...]] | None = None
        self._cut_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.release()

    @property
    def worker_id(self) -> str:
        return self._folder.path.name

    @property
    def damaged(self) -> Damage:
        """As found by `read`."""
        spans = [span for found in (self._damaged or {}).values() for span in found]
        return Damage(len(spans), sum(span.end - span.start for span in spans), self._cut_bytes)

    def read(self) -> Replay:
        """What is left to do. Nothing is changed: it may be read again, by another process too."""
        self._damaged = {}
        self._cut_bytes = 0
        try:
            return fold(self._records(self._damaged))
        except OSError as error:
            self._damaged = None
            raise JournalUnavailableError(f"the journal of {self.worker_id} cannot be read: {error}") from error

    def _records(self, damaged: dict[Path, tuple[Span, ...]]) -> Iterator[Record]:
        """One segment in memory at a time."""
        for path in self._folder.segment_paths():
            data = self._files.read(path)
            found = scan(data)
            if found.damaged:
                damaged[path] = found.damaged
            self._cut_bytes += len(data) - found.end
            yield from found.records

    def set_aside(self, entries: Iterable[Entry]) -> None:
        """Keep requests that cannot be settled, durable. A second attempt writes the same file."""
        kinds = (RecordKind.OPEN, RecordKind.PROGRESS, RecordKind.CLOSE)
        data = b"".join(
            frame(kind, entry.request_id, payload)
            for entry in entries
            for kind, payload in zip(kinds, (entry.open, entry.progress, entry.close), strict=True)
            if payload is not None
        )
        try:
            self._write_aside(f"{_LEFT}{self.worker_id}.journal", data)
        except OSError as error:
            raise JournalUnavailableError(f"nothing of {self.worker_id} can be set aside: {error}") from error

    def remove(self) -> None:
        """Delete the journal: everything in it is settled or set aside. What is damaged is set aside before."""
        if self._damaged is None:
            self.read()
        try:
            for path, spans in (self._damaged or {}).items():
                data = self._files.read(path)
                bad = b"".join(data[span.start : span.end] for span in spans)
                self._write_aside(f"{_DAMAGED}{self.worker_id}-{path.stem}.bin", bad)
            self._folder.remove()
        except OSError as error:
            raise JournalUnavailableError(f"the journal of {self.worker_id} cannot be deleted: {error}") from error

    def _write_aside(self, name: str, data: bytes) -> None:
        aside = self._folder.path.parent.parent / SET_ASIDE
        aside.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(
            os.open(aside / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        ) as copy:
            copy.write(data)
            copy.flush()
            self._files.sync(copy.fileno())
        self._files.sync_folder(aside)
