"""The parent of workers that end as soon as they are ready, in real processes; tests/flow runs it with real workers."""

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tollway.cli import backoff
from tollway.cli.forked import fork
from tollway.cli.supervisor import READY_BYTE, Supervisor
from tollway.settings import parse

LAST = 5  # the worker that has all of it stopped


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without the threads of the test process (pytest-xdist), which a child here does not need."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(backoff, "FIRST_S", 0.02)
    monkeypatch.setattr(backoff, "KILLED_PAUSE_S_MAX", 0.04)


def supervised(starts: Path, end: Callable[[], int]) -> tuple[int, list[str]]:
    """Exit code and lines of a supervisor whose workers `end`; `starts` has a byte for each of them."""
    reader, writer = os.pipe()

    def work(_: int, ready: socket.socket, __: socket.socket) -> int:
        with starts.open("ab") as file:
            file.write(b".")
        if starts.stat().st_size == LAST:
            os.kill(os.getppid(), signal.SIGTERM)
            signal.pause()
        ready.send(READY_BYTE)
        return end()

    def supervise() -> int:
        sys.stderr = os.fdopen(writer, "w", buffering=1)
        return Supervisor(parse({"listen": "127.0.0.1:0", "workers": 1}), work, lambda _: None).run()

    child = fork(supervise, "tollway-test", ())
    os.close(writer)
    with os.fdopen(reader) as said:
        lines = said.read().splitlines()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    code = child.poll()
    assert code is not None
    return code, lines


def kill_oneself() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@pytest.mark.parametrize(
    ("end", "how", "pauses"),
    [
        (lambda: 3, "exit code 3", ["0.02", "0.04", "0.08", "0.16"]),
        (lambda: 0, "exit code 0", ["0.02", "0.04", "0.08", "0.16"]),
        (kill_oneself, "signal 9", ["0.02", "0.04", "0.04", "0.04"]),
    ],
    ids=["fails", "ends", "is killed"],
)
def test_a_worker_that_ends_once_it_is_ready(
    tmp_path: Path, end: Callable[[], int], how: str, pauses: list[str]
) -> None:
    code, lines = supervised(tmp_path / "starts", end)
    pattern = rf"tollway: worker 0 ended 0\.\d s after it was ready \({how}\); another one starts in (.+) s"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert [one and one[1] for one in found] == pauses, lines
    assert code == 0
