"""Room set aside on the disk, so that requests under way can still be closed once it is full."""

from pathlib import Path
from typing import Final

from tollway.storage.journal.files import Files, is_full

NAME: Final = "reserve"


class Reserve:
    """A file of `size` bytes that can be given up at once."""

    def __init__(self, folder: Path, files: Files, size: int) -> None:
        self.is_held = False
        self._path = folder / NAME
        self._files = files
        self._size = size

    @property
    def disk_bytes(self) -> int:
        return self._size if self.is_held else 0

    def take(self) -> None:
        """Raises OSError when there is no room. Where a disk cannot set room aside at all, we go without."""
        if self.is_held:
            return
        try:
            self._files.allocate(self._path, self._size)
        except OSError as error:
            if is_full(error):
                raise
        else:
            self.is_held = True

    def give_up(self) -> bool:
        """Whether there is more room now."""
        if not self.is_held:
            return False
        self.is_held = False
        try:
            self._files.unlink(self._path)
        except OSError:
            return False
        return True
