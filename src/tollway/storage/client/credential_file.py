"""The credential store on disk: for its owner's eyes, written whole or not at all, by one writer at a time.

A file that cannot be read is never overwritten. Source: catalog-and-clients D.2.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

from tollway.client.credentials import NONE, Credentials, read_credentials, write_credentials
from tollway.client.errors import ClientError
from tollway.clock import monotonic
from tollway.storage.client.private_file import write_private

INLINE: Final = "TOLLWAY_AUTH_CONTENT"
_WIDER_THAN_OWNER: Final = 0o077
_BYTES_MAX: Final = 1024**2
_LOCKED_S_MAX: Final = 10.0  # nobody needs it for longer than a write takes
_LOOK_EVERY_S: Final = 0.05


class CredentialFile:
    """`TOLLWAY_AUTH_CONTENT` replaces the file completely and cannot be written. `warn` is told what was put right."""

    def __init__(self, path: Path, environ: Mapping[str, str], warn: Callable[[str], None]) -> None:
        self._inline = environ.get(INLINE)
        self._warn = warn
        self.path = path

    @property
    def name(self) -> str:
        """What people are told where credentials are."""
        return INLINE if self._inline is not None else str(self.path)

    def read(self) -> Credentials:
        """Everything in it. Raises ClientError naming the file."""
        if self._inline is not None:
            return read_credentials(self._inline, INLINE)
        try:
            with self.path.open("rb") as file:
                self._narrow(file.fileno())
                text = file.read(_BYTES_MAX + 1)
        except FileNotFoundError:
            return NONE
        except OSError as error:
            raise ClientError(f"{self.path}: cannot be read: {error.strerror}") from None
        if len(text) > _BYTES_MAX:
            raise ClientError(f"{self.path}: is too large to be a credential store")
        return read_credentials(text.decode(errors="replace"), str(self.path))

    def change(self, change: Callable[[Credentials], Credentials]) -> None:
        """Read, change and write while no other process does. Raises ClientError; then nothing was written."""
        if self._inline is not None:
            raise ClientError(f"{INLINE} is set, which takes the place of the credential store and cannot be changed")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.parent.chmod(0o700)
            with _locked(self.path.with_name(f"{self.path.name}.lock")):
                changed = change(self.read())
                write_private(self.path, write_credentials(changed).encode())
        except OSError as error:
            raise ClientError(f"{self.path}: cannot be written: {error.strerror}") from None

    def _narrow(self, descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        if mode & _WIDER_THAN_OWNER:
            os.fchmod(descriptor, mode & 0o700)
            self._warn(f"{self.path} could be read by others; now only you can")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Waits for whoever holds it, for a while; the lock ends with the process, however it ends. Raises ClientError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = monotonic() + _LOCKED_S_MAX
        while not _is_taken(descriptor):
            if monotonic() >= until:
                raise ClientError(f"{path}: another process has been holding this lock; nothing was changed")
            Event().wait(_LOOK_EVERY_S)
        yield
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
