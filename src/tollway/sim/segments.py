"""Cut what is sent into segments of one size, whatever it means: HTTP chunks and events are cut anywhere."""

from collections.abc import Iterable, Iterator

from tollway.sim.steps import Send, Step, Wait


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
