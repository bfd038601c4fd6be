"""`tollway` programs as forks of one process that has imported everything: a start costs milliseconds, not seconds.

They are the same programs, with arguments, environment, folder and output of their own. Only the import is shared.
tests/flow/test_demo.py, test_management_guide.py, test_run.py and terminals start theirs from nothing.

As a program of its own, this file is that process: `python warm.py CONTROL_FD`.
"""

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

CLOCK_SHIFT = "CLOCK_SHIFT"  # in a program's environment: a file with seconds
_ORDER_BYTES_MAX = 1024 * 1024
_STREAMS = 3  # standard input, output and error
_STARTS_WITHIN_S = 120
_DIES_WITHIN_S = 10


class Warm:
    """One such process of this test process, and what it says about its children."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._control, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ORDER_BYTES_MAX)
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],  # -P: this folder has a redis.py
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._changed = threading.Condition()
        self._started: list[tuple[int, int]] = []
        self._codes: dict[int, int] = {}  # by serial number: process ids come again
        self._starting = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self._end)

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, streams: Sequence[int]
    ) -> "WarmProcess":
        """`arguments`: a module and its arguments, as behind `python -m`. `streams`: three open files."""
        order = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder)}
        with self._starting:
            socket.send_fds(self._control, [json.dumps(order).encode()], list(streams))
            with self._changed:
                self._changed.wait_for(lambda: self._started or self._process.poll() is not None, _STARTS_WITHIN_S)
                assert self._started, "the warm process does not answer"
                serial, pid = self._started.pop()
        return WarmProcess(self, serial, pid)

    def poll(self, serial: int) -> int | None:
        with self._changed:
            return self._codes.get(serial)

    def wait(self, serial: int, seconds: float | None) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: serial in self._codes, seconds)
            return self._codes.get(serial)

    def kill(self, serial: int, pid: int, number: signal.Signals) -> None:
        """Only one that has not been seen to end: until then its number is nobody else's."""
        with self._changed:
            if serial not in self._codes:
                os.kill(pid, number)

    def _listen(self) -> None:
        while said := self._control.recv(64):
            word, serial, number = said.decode().split()
            with self._changed:
                if word == "started":
                    self._started.append((int(serial), int(number)))
                else:
                    self._codes[int(serial)] = int(number)
                    self._control.send(serial.encode())  # its process id may be given away now
                self._changed.notify_all()
        self._process.wait(_DIES_WITHIN_S)
        with self._changed:
            self._changed.notify_all()

    def _end(self) -> None:
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        self._process.wait(_DIES_WITHIN_S)


@cache
def warm() -> Warm:
    """The one of this test process."""
    return Warm()


class WarmProcess:
    """What tests need of `subprocess.Popen`."""

    def __init__(self, parent: Warm, serial: int, pid: int) -> None:
        self._parent = parent
        self._serial = serial
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        return self._parent.poll(self._serial)

    def poll(self) -> int | None:
        return self._parent.poll(self._serial)

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        code = self._parent.wait(self._serial, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        self._parent.kill(self._serial, self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, input_text: str = "", seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Like `subprocess.run` with everything it says kept, as text."""
    files = [os.memfd_create(name) for name in ("in", "out", "err")]
    try:
        os.write(files[0], input_text.encode())
        os.lseek(files[0], 0, os.SEEK_SET)
        process = warm().start(arguments, environment, folder, files)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_DIES_WITHIN_S)
            raise
        return subprocess.CompletedProcess([*arguments], code, _read_all(files[1]), _read_all(files[2]))
    finally:
        for file in files:
            os.close(file)


def _read_all(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


def _import_everything() -> None:
    from tollway.cli.main import COMMANDS

    for place in COMMANDS.values():
        import_module(place.module)
    for module in ("tollway.sim.program", "tollway.storage.migrations.run"):
        import_module(module)
    gc.collect()
    gc.freeze()


def _serve(control: socket.socket) -> None:
    """Until nobody gives orders any more; what still runs then is killed."""
    _import_everything()
    serials = count(1)
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, int] = {}  # process id by serial number; those that have ended until that is acknowledged
    running: set[int] = set()  # serial numbers
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is woken:
                woken.recv(4_096)
                continue
            data, files, *_ = socket.recv_fds(control, _ORDER_BYTES_MAX, _STREAMS)
            if not data:
                for serial in running:
                    os.kill(children[serial], signal.SIGKILL)
                return
            if not files:
                os.waitpid(children.pop(int(data)), 0)
                continue
            pid = os.fork()
            if not pid:
                selector.close()
                for end in (control, woken, wake):
                    end.close()
                _live(json.loads(data), files)
            serial = next(serials)
            children[serial] = pid
            running.add(serial)
            for file in files:
                os.close(file)
            control.send(f"started {serial} {pid}".encode())
        for serial in list(running):
            ended = os.waitid(os.P_PID, children[serial], os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended:
                running.remove(serial)
                code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                control.send(f"ended {serial} {code}".encode())


def _live(order: dict[str, Any], files: list[int]) -> NoReturn:
    """The child: `python -m <arguments>`."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        if shift_file := os.environ.pop(CLOCK_SHIFT, ""):
            _shift_clock(Path(shift_file))
        sys.argv = list(order["arguments"])
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _shift_clock(file: Path) -> None:
    """The program and its forks have a wall clock that is ahead by as many seconds as the file says, at any time."""
    from tollway.clock import steady

    real_ns, opened = time.time_ns, os.open(file, os.O_RDONLY)

    def shifted_ns() -> int:
        return real_ns() + int(os.pread(opened, 20, 0)) * 1_000_000_000

    time.time_ns = shifted_ns
    time.time = lambda: shifted_ns() / 1_000_000_000
    steady._wall_ns = shifted_ns


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
