"""What `tollway doctor` looks at on this machine: folders, secret files, port, processors. It changes nothing."""

import errno
import os
import stat
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from tollway.admin.findings import Finding, failed, judge_files, judge_modes, judge_room, judge_workers, ok
from tollway.app import JOURNALS
from tollway.http.listener import check_unused
from tollway.http.open_files import open_files_max
from tollway.settings import Settings
from tollway.storage.journal.dead import damaged_in

CHECK_S: Final = 5.0
MASTER_KEY: Final = "master-key"
KEPT: Final = ("key-pepper", "user-hash-secret", "anon-id-key", MASTER_KEY)  # files that are made in state_dir
_NO_UNNAMED_FILES: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}  # a file system that has none


def look_at_folders(settings: Settings) -> list[Finding]:
    """state_dir and the folder of journals below it: there, writable, with room."""
    state, journals = settings.state_dir, settings.state_dir / JOURNALS
    if not state.exists():
        nearest = next(parent for parent in state.absolute().parents if parent.exists())
        return [_writable("state_dir", nearest, f"{state} is not there yet; serving makes it")]
    found = [_writable("state_dir", state, f"{state} is writable")]
    if journals.exists() or journals.is_symlink():
        found.append(_writable("journal folder", journals, f"{journals} is writable"))
    room = os.statvfs(state)
    return [*found, judge_room("disk", room.f_bavail * room.f_frsize, settings.workers)]


def _writable(check: str, folder: Path, words: str) -> Finding:
    todo = "let the user that runs Tollway write there, on a disk of this machine"
    if not folder.is_dir():
        return failed(check, f"{folder} is no folder", todo)
    try:  # a file without a name: nothing appears there, and it goes by itself
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError as error:
        if error.errno not in _NO_UNNAMED_FILES:
            return failed(check, f"{folder} cannot be written: {error.strerror}", todo)
        if not os.access(folder, os.W_OK | os.X_OK):
            return failed(check, f"{folder} cannot be written", todo)
    return ok(check, words)


def look_at_damage(settings: Settings) -> bool:
    return damaged_in(settings.state_dir / JOURNALS)


def look_at_secret_files(settings: Settings) -> list[Finding]:
    """Of files that are not there the settings say so."""
    named = [*_files_of(settings), *(settings.state_dir / name for name in KEPT)]
    modes = {str(path): stat.S_IMODE(path.stat().st_mode) for path in dict.fromkeys(named) if path.exists()}
    return judge_modes(modes)


def _files_of(section: BaseModel) -> Iterator[Path]:
    """The files that settings take secrets from: `…_file`, but for certificates."""
    for name in type(section).model_fields:
        value: Any = getattr(section, name)
        if isinstance(value, Path) and name.endswith("_file") and name != "ca_file":
            yield value
        for inner in value.values() if isinstance(value, dict) else [value]:
            if isinstance(inner, BaseModel):
                yield from _files_of(inner)


def look_at_workers(settings: Settings) -> Finding:
    return judge_workers(settings.workers, len(os.sched_getaffinity(0)))


def look_at_open_files(settings: Settings) -> Finding:
    return judge_files(open_files_max(), settings.limits.in_flight)


def look_at_port(settings: Settings) -> Finding:
    """Free, or a Tollway serves there; what it says about itself counts."""
    if not settings.port:
        return ok("listen", "serving picks a free port")
    try:
        check_unused(settings.host, settings.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return failed("listen", f"{settings.listen}: {error.strerror}", "choose an address of this machine")
        return _neighbour(settings)
    return ok("listen", f"{settings.listen} is free; nobody serves")


def _neighbour(settings: Settings) -> Finding:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  (asked, not bound)
    connection = HTTPConnection(host, settings.port, timeout=CHECK_S)
    try:
        connection.request("GET", "/readyz")
        said = connection.getresponse().read(4_096)
    except (OSError, HTTPException):
        said = b""
    finally:
        connection.close()
    if said == b'{"status":"ready"}':
        return ok("listen", f"Tollway serves on {settings.listen} and is ready")
    if said.startswith(b'{"status":"failing"'):
        return failed("listen", f"Tollway serves on {settings.listen} and is not ready", "GET /readyz says what fails")
    return failed("listen", f"another program has {settings.listen}", "stop it, or choose another port")
