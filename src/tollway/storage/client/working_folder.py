"""Files that are read for a model or a person: where they really are, and whether that is inside the working folder.

A path is followed to its end, links and all, before anything is decided; what is then opened is that file, and no link.
Source: catalog-and-clients D.4.5.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from tollway.client.errors import ClientError

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Found(Struct, frozen=True):
    """`path` is absolute and has no links in it. `is_inside`: in the working folder, and not where secrets are kept."""

    path: Path
    is_inside: bool


class WorkingFolder:
    """`private`: folders whose files count as outside, wherever they are: those with keys and sessions."""

    def __init__(self, root: Path, home: Path, private: Sequence[Path] = ()) -> None:
        self.root = Path(os.path.realpath(root))
        self._home = home
        self._private = [Path(os.path.realpath(one)) for one in private]

    def find(self, path: str) -> Found:
        """Relative paths start in the working folder, `~/` at home. Whether anything is there is not said: of places
        outside, that too is nobody's business. Raises ClientError for what is no path."""
        written = self._home / path[2:] if path.startswith("~/") else self.root / path
        try:
            real = written.resolve()
        except (OSError, RuntimeError, ValueError):
            raise ClientError(f"{path}: is not a path that leads anywhere") from None
        is_private = any(real.is_relative_to(one) for one in self._private)
        return Found(real, real.is_relative_to(self.root) and not is_private)


def read_file(found: Found, bytes_max: int) -> bytes:
    """A regular file of at most so many bytes. Raises ClientError."""
    path = found.path
    try:
        descriptor = os.open(path, _OPEN)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise ClientError(f"{path}: is no regular file")
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise ClientError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > bytes_max:
        raise ClientError(f"{path}: is larger than {bytes_max // 1024**2} MiB")
    return data
