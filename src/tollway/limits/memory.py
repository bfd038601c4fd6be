"""Who still gets in while memory runs short: anonymous work is refused first, then all new work (guarantees O4, O5)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

ANONYMOUS_PERCENT: Final = 80
ALL_PERCENT: Final = 90
WAIT_S: Final = 5  # whoever was refused may come back after that


class Pressure(IntEnum):
    """What is refused; each refuses what those before it do."""

    NONE = 0
    ANONYMOUS = 1
    ALL = 2


def pressure_of(used_bytes: int, limit_bytes: int | None) -> Pressure:
    """`limit_bytes` None: nobody knows one, so nothing is refused."""
    if limit_bytes is None or used_bytes * 100 <= limit_bytes * ANONYMOUS_PERCENT:
        return Pressure.NONE
    return Pressure.ANONYMOUS if used_bytes * 100 <= limit_bytes * ALL_PERCENT else Pressure.ALL


@dataclass(slots=True)
class Memory:
    """What was last seen of it. Requests read the two flags and nothing else."""

    limit_bytes: int | None = None
    used_bytes: int = 0
    refuses_anonymous: bool = False
    refuses_all: bool = False

    def note(self, used_bytes: int) -> Pressure:
        """What has been counted just now."""
        found = pressure_of(used_bytes, self.limit_bytes)
        self.used_bytes = used_bytes
        self.refuses_anonymous = found >= Pressure.ANONYMOUS
        self.refuses_all = found is Pressure.ALL
        return found
