"""The one place where a bug is caught: reported with its place, never with its data."""

from types import TracebackType

from tollway.observability.logs import get_log

_log = get_log()


class Guard:
    """Blocks in which a bug is reported and goes no further; `failed` tells whether there was one in the last block."""

    __slots__ = ("failed",)

    def __init__(self) -> None:
        self.failed = False

    def __enter__(self) -> "Guard":
        self.failed = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        self.failed = True
        _log.error("internal_error", error=error)
        return True
