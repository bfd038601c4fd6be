"""Runs `worker.py` in several processes at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

_WORKER = Path(__file__).with_name("worker.py")


def run_together(url: str, what: str, processes: int, *numbers: int) -> list[dict]:
    """Start them, let them go at the same moment, and return what each printed. Raises when one fails."""
    started = [start(url, what, f"p{number}", *numbers) for number in range(processes)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    answers = [_release(process) for process in started]
    return [json.loads(process.communicate(timeout=120)[0]) for process in answers]


def start(url: str, what: str, name: str, *numbers: int) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, str(_WORKER), url, what, name, *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def _release(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return process
