"""Sessions on disk: one file each, for their owner's eyes, written whole or not at all."""

import os
from pathlib import Path
from typing import Final

from tollway.client.errors import ClientError
from tollway.client.session import Session, is_session_id, read_session, write_session
from tollway.storage.client.private_file import write_private

_BYTES_MAX: Final = 64 * 1024**2
_LOOKED_AT_MAX: Final = 1_000


class SessionFiles:
    """`data`: the folder of this program's data, where sessions get one of their own."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "sessions"

    def read(self, session_id: str) -> Session:
        """Raises ClientError."""
        path = self._folder / f"{session_id}.json"
        if not is_session_id(session_id) or not path.is_file():
            raise ClientError(f"there is no session {session_id}")
        return _read(path)

    def last(self, folder: str) -> Session | None:
        """The one that was used last in this folder. What cannot be read is passed over."""
        try:
            paths = sorted(self._folder.glob("ses_*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        except OSError:
            return None
        for path in paths[:_LOOKED_AT_MAX]:
            try:
                session = _read(path)
            except ClientError:
                continue
            if session.folder == folder:
                return session
        return None

    def write(self, session: Session) -> None:
        """Raises ClientError; then nothing was changed."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._folder / f"{session.id}.json", write_session(session))
        except OSError as error:
            raise ClientError(f"{self._folder}: the session cannot be kept: {error.strerror}") from None


def _read(path: Path) -> Session:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > _BYTES_MAX:
                raise ClientError(f"{path}: is too large to be a session")
            return read_session(file.read(_BYTES_MAX), str(path))
    except OSError as error:
        raise ClientError(f"{path}: cannot be read: {error.strerror}") from None
