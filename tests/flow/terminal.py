"""`tollway` commands on a pseudo-terminal, as a person uses them."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from flow.programs import plain_environment

PATIENCE_S = 60
INTERRUPT = "\x03"
NOTHING_MORE = "\x04"
# So that what is typed can interrupt: only whose terminal it is hears of Ctrl-C.
TAKES_TERMINAL = """import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])"""
TOLLWAY = f'tollway() {{ "{sys.executable}" -m tollway "$@"; }}'


class Terminal:
    """One command. `shown` is everything that was on the screen so far. To type before a hidden prompt has shown its
    last blank is to type in vain: it begins by forgetting what was typed. stdout: a file descriptor instead of it.
    line: of a shell, instead of words."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], *words: str, stdout: int | None = None, line: str = ""
    ) -> None:
        command = ["/bin/sh", "-c", f"{TOLLWAY}\n{line}"] if line else [sys.executable, "-m", "tollway", *words]
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKES_TERMINAL, *command],
            cwd=folder,
            env={**plain_environment(), "TERM": "dumb", "COLUMNS": "200", **environ},
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""
        self._expected = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def expect(self, text: str) -> None:
        """Wait until this is on the screen, behind what was waited for before."""
        until = monotonic() + PATIENCE_S
        while text not in self.shown[self._expected :]:
            assert self._read(until), f"{text!r} never came; on the screen is:\n{self.shown}"
        self._expected = self.shown.index(text, self._expected) + len(text)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def converse(self, answers: Mapping[str, str]) -> int:
        """Type what belongs to a prompt whenever it is what stands last on the screen; its exit code."""
        until = monotonic() + PATIENCE_S
        while self._read(until):
            for prompt, typed in answers.items():
                if self.shown.endswith(prompt):
                    self.type(typed)
        return self.end()

    def end(self) -> int:
        """Everything it still shows, then its exit code."""
        until = monotonic() + PATIENCE_S
        while self._read(until):
            pass
        os.close(self._ours)
        return self._process.wait(PATIENCE_S)

    def _read(self, until: float) -> bool:
        """False: there is nothing more."""
        ready, _, _ = select.select([self._ours], [], [], max(0, until - monotonic()))
        if not ready:
            self._process.kill()
            return False
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # what a pseudo-terminal says when nobody is on its other side
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
