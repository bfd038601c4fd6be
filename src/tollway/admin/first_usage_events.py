"""Send the first-usage events that are due; what does not arrive is tried again, a bounded number of times."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from tollway.billing.first_usage import DueEvent, FirstUsage, message_of
from tollway.observability.logs import get_log

_FIRST_PAUSE: Final = timedelta(minutes=1)  # it doubles

_log = get_log()


class FirstUsageEvents(Protocol):
    """Methods raise StoreUnavailableError."""

    async def due(self, now: datetime) -> tuple[DueEvent, ...]: ...

    async def end(self, event: FirstUsage, tries: int, next_at: datetime | None) -> None: ...


# Sends a message: None when it arrived, else why not.
Send = Callable[[dict[str, Any]], Awaitable[str | None]]


async def send_due(events: FirstUsageEvents, api_key: str, tries_max: int, send: Send, now: datetime) -> int:
    """How many arrived. Raises StoreUnavailableError."""
    sent = 0
    for due in await events.due(now):
        message, tries = message_of(due, api_key), due.tries + 1
        failure = await send(message) if message else None
        sent += message is not None and failure is None
        next_at = None
        if failure:
            is_given_up = tries >= tries_max
            next_at = None if is_given_up else now + _FIRST_PAUSE * 2 ** (tries - 1)
            _log.warning("first_usage_not_sent", event_name=due.noted.event, why=failure, given_up=is_given_up)
        await events.end(due.noted, tries, next_at)
    return sent
