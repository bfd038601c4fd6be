"""The worker processes of a running gateway, as the system sees them."""

import os
import signal
import time
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from flow.programs import Gateway

SERVED_WITHIN_S = 30


def workers_of(gateway: Gateway) -> list[int]:
    """Process ids of the living workers."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if _state(pid) not in ("", "Z")]


def wait_until_served(gateway: Gateway) -> None:
    """Until a worker answers again."""
    ends_at = time.monotonic() + SERVED_WITHIN_S
    while True:
        try:
            with urlopen(f"{gateway.url}/healthz", timeout=5):
                return
        except (OSError, HTTPException):
            assert time.monotonic() < ends_at, "no worker serves"
            time.sleep(0.05)


def kill_everything(gateway: Gateway) -> None:
    """Supervisor and workers at once, like a machine that loses its power but keeps its page cache."""
    os.kill(gateway.pid, signal.SIGSTOP)  # it must not start new ones, once they are looked for
    for pid in workers_of(gateway):
        os.kill(pid, signal.SIGKILL)
    gateway.kill()


def resident_bytes(pid: int) -> int:
    """Memory of one process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
