"""`make test-clients`: install the published clients from their lock file, then run the tests of this folder.

Nothing is run, and one line says why, where node or npm is missing, where the lock file names no client for this
machine, or where the package registry does not give it. Every step is bounded in time.
"""

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache"
LOCK = HERE / "package-lock.json"
ASK_S_MAX = 60
INSTALL_S_MAX = 300
TESTS_S_MAX = 1200
_WHAT_NODE_RUNS_ON = "process.stdout.write(process.platform + '-' + process.arch)"


class UnavailableError(Exception):
    """Why the clients cannot be had here."""


def main() -> int:
    try:
        folder = install()
    except UnavailableError as why:
        print(f"── Published clients: not tested, {why}")  # noqa: T201
        return 0
    command = [sys.executable, "-m", "pytest", str(HERE), f"--clients={folder}", *sys.argv[1:]]
    try:
        return subprocess.run(command, cwd=ROOT, timeout=TESTS_S_MAX).returncode
    except subprocess.TimeoutExpired:
        print(f"── Published clients: the tests did not end within {TESTS_S_MAX} s")  # noqa: T201
        return 1


def install() -> Path:
    """The folder with `node_modules`, made once per content of the lock file. Raises UnavailableError, and
    CalledProcessError when what the registry gave is not what the lock file says."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise UnavailableError("node and npm are not here")
    machine = _run(["node", "-e", _WHAT_NODE_RUNS_ON], ROOT, ASK_S_MAX).stdout
    packages = json.loads(LOCK.read_text())["packages"]
    if f"node_modules/@kilocode/cli-{machine}" not in packages:
        raise UnavailableError(f"the lock file names none for {machine}")
    folder = CACHE / "clients" / sha256(LOCK.read_bytes()).hexdigest()[:16]
    if (folder / "installed").exists():
        return folder
    for name, entry in packages.items():
        if name:
            _ask_registry(f"{name.removeprefix('node_modules/')}@{entry['version']}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    done = _npm(folder, INSTALL_S_MAX, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    done.check_returncode()
    (folder / "installed").touch()
    return folder


def _ask_registry(package: str) -> None:
    if _npm(ROOT, ASK_S_MAX, "view", package, "version", "--fetch-retries=0").returncode != 0:
        raise UnavailableError(f"the package registry does not give {package}")


def _npm(folder: Path, seconds: float, *words: str) -> subprocess.CompletedProcess[str]:
    return _run(["npm", *words, f"--cache={CACHE / 'npm'}"], folder, seconds)


def _run(command: list[str], folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(command, cwd=folder, timeout=seconds, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"`{' '.join(command[:2])}` did not end within {seconds} s") from None
    if done.returncode != 0 and command[1] == "ci":
        print(done.stderr)  # noqa: T201
    return done


if __name__ == "__main__":
    sys.exit(main())
