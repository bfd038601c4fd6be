"""The one place where a bug is caught: reported with its place, never with its data."""

from collections.abc import Awaitable
from typing import Any

from tollway.observability.logs import get_log

_log = get_log()


async def guard(work: Awaitable[Any]) -> bool:
    """Await `work`; False when it raised."""
    try:
        await work
    except Exception as error:
        _log.error("internal_error", error=error)
        return False
    return True
