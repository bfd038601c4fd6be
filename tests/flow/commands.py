"""`tollway` commands as an operator runs them, beside a gateway or without one."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.programs import plain_environment

COMMAND_S_MAX = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def told(self) -> Mapping[str, list[str]]:
        """The lines under each heading of `tollway explain`."""
        found: dict[str, list[str]] = {}
        for line in self.out.splitlines():
            found.setdefault(line[:12].strip() or list(found)[-1], []).append(line[12:])
        return found


def tollway(config: Path, *words: str) -> Ended:
    """Run one with the settings of a gateway."""
    done = subprocess.run(
        [sys.executable, "-m", "tollway", *words],
        cwd=config.parent,
        env={**plain_environment(), "TOLLWAY_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
