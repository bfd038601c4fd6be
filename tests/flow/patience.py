"""Waiting for what happens beside the requests: a job that runs every second or so."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 30
LOOK_S = 0.1

T = TypeVar("T")


def until(look: Callable[[], T]) -> T:
    """What `look` finds, as soon as that is something."""
    ends_at = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < ends_at, "it does not happen"
        time.sleep(LOOK_S)
    return found
