"""Tollway's own programs as child processes of a command: started, listened to for one line, stopped."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_STOP_SECONDS_MAX: Final = 20
_PREFIX: Final = "TOLLWAY_"


class ChildError(Exception):
    """A child ended before it was ready; the message is what it said last."""


class Child:
    """One child in a session of its own, so that Ctrl-C reaches the command, and the command stops its children."""

    def __init__(
        self, name: str, arguments: list[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._name = name
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603  (our own modules, arguments of ours)
                [sys.executable, "-m", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**_without_settings(), **(environment or {})},
                start_new_session=True,
            )

    def wait_for(self, start: str) -> str:
        """The rest of the first line on its standard output that begins with `start`. Raises ChildError."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.decode().startswith(start):
                return line.decode().removeprefix(start).strip()
        self._process.wait()
        said = self._log.read_text(errors="replace").strip().splitlines()
        raise ChildError(f"{self._name} did not start: {said[-1] if said else 'it said nothing'}")

    def wait(self) -> int:
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to end; insist after a while."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _without_settings() -> dict[str, str]:
    """Our environment without Tollway settings: a child must not work on the operator's real database."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
