"""Folders of journals: one per worker under a root, and whoever holds the lock of one owns it.

A lock (flock) is freed by the kernel when its process ends, however it ends. A folder appears and disappears by one
rename, locked all the while; names with a dot are on the way in or out, and hold nothing that a replay would need.
Whoever brings one in or out holds the lock of the root meanwhile, so what has such a name under it is a left-over.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal.files import Files

LOCK: Final = "lock"
_WORKER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COMING: Final = ".coming-"
_LEAVING: Final = ".leaving-"
_FILES: Final = Files()


class Folder:
    """A worker's folder whose lock we hold."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    def segment_paths(self) -> list[Path]:
        """In the order in which they were written. Raises OSError."""
        return sorted(self.path.glob("[0-9]" * 8 + ".journal"))

    def release(self) -> None:
        """Let another process have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Delete it with all that is in it. Raises OSError; from the rename on nobody replays it all the same."""
        root = self.path.parent
        with _locked(root):
            leaving = root / (_LEAVING + self.path.name)
            self.path.rename(leaving)
            _FILES.sync_folder(root)
            _delete(leaving)
        self.release()


def create(root: Path, worker_id: str) -> Folder:
    """A new folder, durable and locked. Raises JournalUnavailableError, and ValueError for an id unfit for a name."""
    if not _WORKER_ID.fullmatch(worker_id):
        raise ValueError(f"a worker id is 1 to 64 letters, digits, - and _, not {worker_id!r}")
    path = root / worker_id
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(root):
            folder = _create(root, path)
        _FILES.sync_folder(root)
        _FILES.sync_folder(root.parent)
    except OSError as error:
        raise JournalUnavailableError(f"no journal can be created in {root}: {error}") from error
    return folder


def _create(root: Path, path: Path) -> Folder:
    coming = root / (_COMING + path.name)
    coming.mkdir(mode=0o700, exist_ok=True)  # there may be one of a crash
    lock = _take_lock(coming, os.O_CREAT)
    if lock is None:
        raise BlockingIOError(f"somebody else has {coming}")
    folder = Folder(path, lock)
    try:
        coming.rename(path)
    except OSError:
        folder.release()
        raise
    return folder


def unowned(root: Path) -> Iterator[Folder]:
    """The folders whose worker is gone, each of them ours until it is released. Left-overs are deleted on the way.

    A folder that crashed before it had a lock file gets one. A root that is not there has none. Raises OSError.
    """
    paths = sorted(root.iterdir()) if root.is_dir() else []
    if any(path.name.startswith((_COMING, _LEAVING)) for path in paths):
        _sweep(root)
    for path in paths:
        if _WORKER_ID.fullmatch(path.name):
            lock = _take_lock(path, os.O_CREAT)
            if lock is not None:
                yield Folder(path, lock)


def _take_lock(folder: Path, flags: int = 0) -> int | None:
    """The lock of a folder as a descriptor. None: somebody else holds it, or the folder is not there (any more)."""
    path = folder / LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    is_ours = False
    try:
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.path.samestat(os.fstat(lock), path.stat())  # or it was deleted before we had it
    finally:
        if not is_ours:
            os.close(lock)
    return lock if is_ours else None


@contextmanager
def _locked(root: Path, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock of a root. Raises OSError."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)


def _sweep(root: Path) -> None:
    """Delete left-overs, unless somebody brings a folder in or out: then the next look does it."""
    with suppress(BlockingIOError), _locked(root, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for path in root.iterdir():
            if path.name.startswith((_COMING, _LEAVING)):
                _delete(path)


def _delete(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
