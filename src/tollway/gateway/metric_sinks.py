"""Where records of requests go when a moment has come: into the database in batches, and one by one to a receiver.

In the background; a sink that is away costs records once too many wait, and never a request anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from tollway.billing.store import StoreUnavailableError
from tollway.observability.api_metrics import Measured, encode_metric
from tollway.observability.logs import get_log
from tollway.observability.metric_feed import Waiting

POSTED_AT_ONCE: Final = 16

_log = get_log()


class MetricStore(Protocol):
    async def add(self, records: Sequence[Measured]) -> None:
        """All or none, each once. Raises StoreUnavailableError; ValueError when it will never take them."""
        ...


class StoreSink:
    """Writes what waits, `batch` records at a time. `flush` must not run twice at once."""

    def __init__(self, waiting: Waiting, store: MetricStore, batch: int) -> None:
        self._waiting = waiting
        self._store = store
        self._batch = batch

    async def flush(self) -> None:
        """Raises StoreUnavailableError; what is not written waits on, then."""
        while records := self._waiting.first(self._batch):
            lost = await self._write(records)
            self._waiting.remove(len(records), lost)

    async def _write(self, records: Sequence[Measured]) -> int:
        """How many will never be written."""
        try:
            await self._store.add(records)
        except ValueError as error:
            if len(records) > 1:  # one that cannot be stored must not cost the others
                return sum([await self._write((record,)) for record in records])
            _log.error("api_metric_refused", request_id=records[0].id, error=error)
            return 1
        return 0

    async def flush_at_end(self) -> None:
        """The last time: what cannot be written is lost."""
        try:
            await self.flush()
        except StoreUnavailableError as error:
            _log.warning("api_metrics_lost", records=len(self._waiting), error=error)


class PostSink:
    """Sends what waits; what does not arrive is lost (response-path 9.5). `flush` must not run twice at once."""

    def __init__(self, waiting: Waiting, post: Callable[[bytes], Awaitable[str | None]]) -> None:
        """`post`: None when a record arrived, else why not."""
        self._waiting = waiting
        self._post = post
        self._was_away = False

    async def flush(self) -> None:
        """As long as anything arrives; a receiver that is away is asked again the next time."""
        while records := self._waiting.first(POSTED_AT_ONCE):
            answers = await asyncio.gather(*(self._post(encode_metric(record.metric)) for record in records))
            failures = [why for why in answers if why is not None]
            self._waiting.remove(len(records), len(failures))
            is_away = len(failures) == len(records)
            if is_away and not self._was_away:
                _log.warning("metrics_receiver_away", why=failures[0])
            self._was_away = is_away
            if is_away:
                return
