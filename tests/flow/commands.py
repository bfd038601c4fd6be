"""`tollway` commands as an operator runs them, beside a gateway or without one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.programs import plain_environment
from servers.warm import run

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
    environment = {**plain_environment(), "TOLLWAY_CONFIG": str(config)}
    done = run(["tollway", *words], environment, config.parent, seconds=COMMAND_S_MAX)
    return Ended(done.returncode, done.stdout, done.stderr)
