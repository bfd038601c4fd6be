"""Runs the command-line client of Kilo as its users do, and reads what it prints."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOM = "room"
SECONDS_MAX = 240  # a start takes some seconds of processor time
_NOBODY = "http://127.0.0.1:9"
QUIET = {"KILO_DISABLE_MODELS_FETCH": "1", "KILO_DISABLE_AUTOUPDATE": "1"}


@dataclass(frozen=True, slots=True)
class Told:
    """What `run --format json` printed: events, one per line."""

    events: list[dict[str, Any]]

    def parts(self, kind: str) -> list[dict[str, Any]]:
        return [event["part"] for event in self.events if event["type"] == kind]

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self.parts("text"))

    @property
    def tools(self) -> list[tuple[str, str]]:
        """Which ones were used, and how that ended."""
        return [(part["tool"], part["state"]["status"]) for part in self.parts("tool_use")]

    @property
    def costs_usd(self) -> list[Decimal]:
        """What it shows for each of its requests."""
        return [Decimal(str(part["cost"])) for part in self.parts("step_finish")]


class Kilo:
    """One user of the client, with a home folder of their own; nobody but the gateway can be reached."""

    def __init__(self, program: Path, home: Path, room: Path, settings: Mapping[str, str]) -> None:
        self._program = program
        self._room = room
        folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "CACHE", "STATE")}
        proxies = {"HTTP_PROXY": _NOBODY, "HTTPS_PROXY": _NOBODY, "NO_PROXY": "127.0.0.1"}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), **folders, **proxies, **QUIET, **settings}

    def models(self, provider: str) -> list[str]:
        return self._call("models", provider).split()

    def run(self, model: str, prompt: str) -> Told:
        lines = self._call("run", "--format", "json", "-m", model, prompt).splitlines()
        return Told([json.loads(line) for line in lines if line.startswith("{")])

    def _call(self, *words: str) -> str:
        done = subprocess.run(
            ["node", str(self._program), *words],
            cwd=self._room,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
