"""Ended requests on their way into the books: in batches, again and again until the books have them.

Every one is durable in the journal, so nothing here is lost with the worker, and settling is idempotent by request id.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from tollway.billing.ledger import Outcome
from tollway.billing.slices import Slices
from tollway.billing.store import Books, Journal
from tollway.observability.logs import get_log

BATCH_MAX: Final = 500

_log = get_log()


class Settlement:
    """A queue in order of arrival. `settle` must not run twice at once. `now` gives monotonic seconds."""

    def __init__(
        self, worker_id: str, books: Books, journal: Journal, slices: Slices, now: Callable[[], float]
    ) -> None:
        self._worker_id = worker_id
        self._books = books
        self._journal = journal
        self._slices = slices
        self._now = now
        self._waiting: deque[tuple[float, Outcome]] = deque()
        self.set_aside: list[Outcome] = []  # what the books cannot take at all: for an operator, still in the journal

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, outcome: Outcome) -> None:
        """One that is durable."""
        self._waiting.append((self._now(), outcome))

    @property
    def lag_s(self) -> float:
        """For how long the oldest has waited."""
        return self._now() - self._waiting[0][0] if self._waiting else 0.0

    @property
    def amount(self) -> int:
        """Micro-dollars charged to callers that the books do not have yet."""
        return sum(outcome.charge for _, outcome in self._waiting)

    async def settle(self) -> None:
        """Settle all that wait. Raises StoreUnavailableError when the books are away; they all wait on, then."""
        while self._waiting:
            await self._settle([outcome for _, outcome in islice(self._waiting, BATCH_MAX)])

    async def _settle(self, batch: Sequence[Outcome]) -> None:
        """The first of the queue; what is done leaves it at once, because the books may be away before all are."""
        try:
            await self._books.settle(self._worker_id, batch)
        except (ValueError, ArithmeticError) as error:
            if len(batch) == 1:
                self.put_aside(batch[0], error)
                self._waiting.popleft()
                return
            for outcome in batch:  # one that cannot be settled must not keep the others waiting
                await self._settle([outcome])
            return
        self._slices.settled(batch)
        self._journal.acknowledge([outcome.hold.request_id for outcome in batch])
        for _ in batch:
            self._waiting.popleft()

    def put_aside(self, outcome: Outcome, error: Exception) -> None:
        """One that the books have refused."""
        self.set_aside.append(outcome)
        _log.error("settlement_refused", request_id=outcome.hold.request_id, error=error)
