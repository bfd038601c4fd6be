"""Waiting for what happens beside the requests: a job that runs every second or so."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 30
LOOK_S = 0.1
STILL_LOOKS = 10

T = TypeVar("T")


def until(look: Callable[[], T]) -> T:
    """What `look` finds, as soon as that is something."""
    ends_at = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < ends_at, "it does not happen"
        time.sleep(LOOK_S)
    return found


def until_still(look: Callable[[], T]) -> T:
    """What `look` finds, once it has found the same for a second. Bounded is what it looks at."""
    last, same = look(), 0
    while same < STILL_LOOKS:
        time.sleep(LOOK_S)
        found = look()
        last, same = found, same + 1 if found == last else 0
    return last
