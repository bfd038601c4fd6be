"""A child process made by fork: it begins with all that its parent has imported, in memory that both share."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from tollway.ids import begin_process

_COMM: Final = Path("/proc/self/comm")  # the name that `ps` and `top` show; Linux only

os.register_at_fork(after_in_child=begin_process)


class Forked:
    """One child. `returncode` is None while it runs, then its exit code, or minus the signal that ended it."""

    __slots__ = ("pid", "returncode")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Look whether it has ended; never waits."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Does nothing once it was seen to have ended: the number could be another process by then."""
        if self.poll() is None:
            os.kill(self.pid, number)


def fork(run: Callable[[], int], name: str, handled: tuple[signal.Signals, ...]) -> Forked:
    """Start a child that ends with `run`'s result as its exit code, in a session of its own.

    `handled` are the signals that the parent handles: the child begins with their default, and none that comes in
    between is lost or runs the parent's handler. Raises OSError, and RuntimeError when the parent has threads, of
    which a child would inherit the locks only.
    """
    if threading.active_count() > 1:
        raise RuntimeError("a process with threads cannot be forked")
    sys.stdout.flush()
    sys.stderr.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    try:
        pid = os.fork()
        if not pid:
            _live(run, name, handled, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return Forked(pid)


def reap_strangers(ours: Collection[int]) -> None:
    """Forget processes that have ended and were left to this one by their parents, as the first process of a container
    gets them. Those in `ours` stay to be polled; a stranger behind one of them is for the next call."""
    with suppress(ChildProcessError):  # there are no children at all
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)


def _live(
    run: Callable[[], int], name: str, handled: tuple[signal.Signals, ...], mask: set[signal.Signals | int]
) -> NoReturn:
    """The child's whole life. It never returns into the parent's code, whatever `run` raises."""
    code = 1
    try:
        os.setsid()  # a terminal's Ctrl-C reaches the parent, which passes it on once
        with suppress(OSError):
            _COMM.write_text(name)
        signal.set_wakeup_fd(-1)
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = run()
    except BaseException:  # whatever it is, it must not go on in the parent's code
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):  # nobody may be there to read it
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
