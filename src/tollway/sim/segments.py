"""Cut what is sent into segments, whatever it means: HTTP chunks and events are cut anywhere."""

from collections.abc import Iterable, Iterator
from typing import Final

from tollway.sim.steps import Send, Step, Wait

_APART_MS: Final = 2  # long enough that a peer on this machine reads the two parts one by one


def cut_segments(steps: Iterable[Step], size_bytes: int) -> Iterator[Step]:
    """The same bytes in segments of `size_bytes`, with a pause of no length after each, so that each is written alone.

    What a piece carries counts once its last whole segment is out. Before any other step the rest is sent as it is.
    """
    pending = b""
    for step in steps:
        if not isinstance(step, Send):
            if pending:
                yield Send(pending)
            pending = b""
            yield step
            continue
        pending += step.data
        whole = len(pending) - len(pending) % size_bytes
        for start in range(0, whole, size_bytes):
            yield Send(pending[start : start + size_bytes])
            yield Wait(0)
        pending = pending[whole:]
        if step.completion_tokens or step.reported_usage:
            yield step._replace(data=b"")


def cut_once(steps: Iterable[Step], at: int) -> Iterator[Step]:
    """The same bytes, with one pause behind the first `at` of them. What a cut piece carries counts with its end."""
    left = at
    for step in steps:
        if not isinstance(step, Send) or not 0 < left <= len(step.data):
            left -= len(step.data) if isinstance(step, Send) else 0
            yield step
            continue
        yield Send(step.data[:left])
        yield Wait(_APART_MS)
        yield step._replace(data=step.data[left:])
        left = 0
