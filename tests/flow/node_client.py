"""The official Node client in a folder of its own: installed from its lock file, run once per scenario."""

import fcntl
import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).parent / "node"
CACHE: Final = Path(__file__).parents[2] / "build" / "node"
SECONDS_MAX: Final = 300
IS_HERE: Final = shutil.which("node") is not None and shutil.which("npm") is not None


class NodeClient:
    """Runs `client.mjs`; the first one on a machine installs what the lock file names."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "client.mjs"
        shutil.copy(SOURCE / "client.mjs", self._program)
        (folder / "node_modules").symlink_to(_installed() / "node_modules")

    def run(self, base_url: str, key: str, scenario: str, **fields: object) -> dict[str, Any]:
        """What the scenario printed; `fields` go into its request."""
        done = subprocess.run(
            ["node", str(self._program), scenario, json.dumps(fields)],
            env={**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen


def _installed() -> Path:
    """The folder that holds `node_modules`, made once per content of the lock file, by one process at a time."""
    lock_hash = sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = CACHE / lock_hash
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{lock_hash}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX)
            assert done.returncode == 0, done.stderr
            (folder / "installed").touch()
    return folder
