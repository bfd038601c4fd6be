"""A developer's machine: a home folder of its own, in which the client's commands run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow.commands import COMMAND_S_MAX, Ended
from flow.programs import plain_environment
from flow.terminal import Terminal
from servers.warm import run


@dataclass(slots=True)
class Machine:
    """`environ` is added to an environment without any settings; `config` becomes the configuration in a variable."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None

    @property
    def store(self) -> Path:
        return self.home / ".local" / "share" / "tollway" / "auth.json"

    @property
    def stored(self) -> Any:
        return json.loads(self.store.read_text())

    def put_store(self, text: str) -> None:
        self.store.parent.mkdir(parents=True, exist_ok=True)
        self.store.write_text(text)
        self.store.chmod(0o600)

    def tollway(self, *words: str, stdin: str = "", **more: str) -> Ended:
        """Run a command without a terminal."""
        environment = {**plain_environment(), **self._all(more)}
        done = run(["tollway", *words], environment, self.home, stdin, COMMAND_S_MAX)
        return Ended(done.returncode, done.stdout, done.stderr)

    def terminal(self, *words: str, stdout: int | None = None, line: str = "", **more: str) -> Terminal:
        return Terminal(self.home, self._all(more), *words, stdout=stdout, line=line)

    def _all(self, more: Mapping[str, str]) -> dict[str, str]:
        config = {} if self.config is None else {"TOLLWAY_CONFIG_CONTENT": json.dumps(self.config)}
        return {"HOME": str(self.home), "BROWSER": "true", **config, **self.environ, **more}
