"""What each command costs before it does anything: processor time and wall time, the least of many runs.

`python bench/startup.py [--runs N] [words of one command]`. `run` and `models` are stopped the moment the first byte of
their request has reached the gateway; all others run to their end. The least is shown, since whatever else runs here
only ever adds; processor time is what a person waits for on a machine that is busy with other things.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60
LIST = {"data": [{"id": "bench/model", "context_length": 1000, "pricing": {"prompt": "0.000001", "completion": "0"}}]}
LINE = "{:42} {:>9} {:>9} {:>8}"
# Words, and whether they ask the gateway; `{}` is filled in with something that is there.
ALONE = ("--version", "--help", "nosuch", "run --help", "users --help", "models --json", "auth list")
ASKING = ("run -m fastrouter/bench/model hi", "models --refresh")
MANAGING = (
    "users list",
    "users create bench{}@example.com",
    "keys list --user bench@example.com",
    "orgs list",
    "credits show bench@example.com",
    "usage --user bench@example.com",
    "llms list",
    "upstreams list --user bench@example.com",
    "byok list --user bench@example.com",
    "alerts",
    "explain nosuch",
    "ledger verify",
    "migrate",
)


@dataclass(frozen=True)
class Took:
    cpu_s: float
    wall_s: float
    code: int


class Gateway:
    """Answers the list of models, and hangs up on everything else once it has read its first byte."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def first_byte(self) -> socket.socket:
        """Wait for one; the connection it came on."""
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE_S)
        connection.recv(1, socket.MSG_PEEK)
        return connection

    def answer_list(self) -> None:
        body = json.dumps(LIST).encode()
        with self.first_byte() as connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


class Machine:
    """A folder of its own, with a configuration, a key, a database and a user."""

    def __init__(self, home: Path) -> None:
        self.gateway = Gateway()
        config = {"provider": {"fastrouter": {"options": {"baseURL": self.gateway.url}}}}
        self.environ = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("TOLLWAY_", "XDG_"))
            and name != "PYTHONDONTWRITEBYTECODE"  # an installed one has it
        } | {
            "HOME": str(home),
            "FASTROUTER_API_KEY": "sk-fake-key-of-a-benchmark",
            "TOLLWAY_CONFIG_CONTENT": json.dumps(config),
        }
        self._home = home
        for words in ("migrate", "users create bench@example.com"):
            if self.to_its_end(words).code:
                raise SystemExit(f"tollway {words} failed")
        process = self._start("models fastrouter")
        self.gateway.answer_list()
        process.wait(PATIENCE_S)

    def to_its_end(self, words: str) -> Took:
        started = time.perf_counter()
        process = self._start(words)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Took(used.ru_utime + used.ru_stime, time.perf_counter() - started, process.returncode)

    def to_the_first_byte(self, words: str) -> Took:
        started = time.perf_counter()
        process = self._start(words)
        with self.gateway.first_byte():
            wall_s = time.perf_counter() - started
            cpu_s = cpu_of(process.pid)
            process.kill()
            process.wait(PATIENCE_S)
        return Took(cpu_s, wall_s, 0)

    def _start(self, words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tollway", *words.split()],
            cwd=self._home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def cpu_of(pid: int) -> float:
    """Seconds of all its threads so far."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, help="how often each command runs")
    parser.add_argument("only", nargs="*", help="commands that begin with these words")
    given = parser.parse_args(arguments)
    only = " ".join(given.only)
    with tempfile.TemporaryDirectory() as home:
        machine = Machine(Path(home))
        print(LINE.format("command", "cpu ms", "wall ms", "exit"))
        for words in (*ASKING, *ALONE, *MANAGING):
            if not words.startswith(only):
                continue
            measure = machine.to_the_first_byte if words in ASKING else machine.to_its_end
            took = [measure(words.format(number)) for number in range(given.runs)]
            show(words, took, "first byte" if words in ASKING else str(took[0].code))


def show(words: str, took: Sequence[Took], end: str) -> None:
    cpu_ms = min(one.cpu_s for one in took) * 1000
    wall_ms = min(one.wall_s for one in took) * 1000
    print(LINE.format(words, f"{cpu_ms:.0f}", f"{wall_ms:.0f}", end))


if __name__ == "__main__":
    main()
