"""How much memory is used, and how much there may be: read from /proc and /sys.

A limit that the operator gives is for all workers, so each has its part of it and counts its own resident memory. The
limit of a control group is what the kernel kills by, and it kills for what is in the group, whoever of it that was; so
there the group is counted, workers, commands and all. Files that the kernel has cached are in the group's figure too;
it drops them before it kills anybody, so they do not count: else a journal or a database beside would refuse requests.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from resource import getpagesize
from typing import Final

PROC: Final = Path("/proc/self")
GROUPS: Final = Path("/sys/fs/cgroup")
_ENDLESS_BYTES: Final = 2**60  # what version 1 says when there is no limit is a little less than 2**63


@dataclass(frozen=True, slots=True)
class OwnMemory:
    """Of this process."""

    limit_bytes: int
    statm: Path

    def read(self) -> int:
        """Resident bytes. Raises OSError."""
        return int(self.statm.read_text().split()[1]) * getpagesize()


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """Of a control group with a limit."""

    limit_bytes: int
    usage: Path
    stat: Path
    cached: tuple[str, ...]  # the names, in `stat`, of what the kernel may drop

    def read(self) -> int:
        """Bytes. Raises OSError."""
        rows = (line.split() for line in self.stat.read_text().splitlines())
        cached = sum(int(value) for name, value in rows if name in self.cached)
        return max(0, int(self.usage.read_text()) - cached)


def find_memory(
    memory_bytes: int | None, workers: int, proc: Path = PROC, groups: Path = GROUPS
) -> OwnMemory | GroupMemory | None:
    """What to count. `memory_bytes`: what the operator allows all `workers` together; None: what the system does.

    None where there is no limit, or no such files as Linux has.
    """
    if memory_bytes is not None:
        statm = proc / "statm"
        return OwnMemory(memory_bytes // workers, statm) if statm.exists() else None
    return min(_limited(proc, groups), key=lambda one: one.limit_bytes, default=None)


def give_back_freed_memory() -> None:
    """What the C library keeps of freed memory goes back to the system, if it is one that keeps any (`cli/malloc.py`):
    else a worker that once was full would count as full for ever. Takes milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _limited(proc: Path, groups: Path) -> Iterator[GroupMemory]:
    """The groups of this process that have a limit: its own and those it lies in, of both versions."""
    try:
        lines = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            yield from _of_version(groups, path, "memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
            yield from _of_version(groups / "memory", path, *names)


def _of_version(root: Path, path: str, limit: str, usage: str, prefix: str) -> Iterator[GroupMemory]:
    cached = f"{prefix}inactive_file", f"{prefix}active_file"
    folder = root / path.lstrip("/")  # inside a container it may not be there, while the root is the container's own
    for group in (folder, *folder.parents):
        if not group.is_relative_to(root):
            return
        try:
            text = (group / limit).read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _ENDLESS_BYTES:
            yield GroupMemory(int(text), group / usage, group / "memory.stat", cached)
