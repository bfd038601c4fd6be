"""Ends of holds that the database did not take: kept, and tried again until it does.

They live in memory and their holds in the database, so while the worker lives nothing is charged twice or forgotten.
"""

from collections import deque
from collections.abc import Callable
from inspect import isawaitable

from tollway.billing.ledger import Hold, Outcome
from tollway.billing.store import FundsStore, StoreUnavailableError


class Unsettled:
    """A queue in order of arrival; `on_change` hears its length. An Outcome is to be settled, a Hold released."""

    def __init__(self, funds: FundsStore, on_change: Callable[[int], None]) -> None:
        self._funds = funds
        self._on_change = on_change
        self._ends: deque[Outcome | Hold] = deque()

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, end: Outcome | Hold) -> None:
        self._ends.append(end)
        self._on_change(len(self._ends))

    async def settle(self) -> None:
        """Try them all, oldest first, until the database is away again. Both steps are idempotent by request id.

        One that fails for another reason goes to the back of the queue, so that it cannot keep the others waiting.
        """
        for _ in range(len(self._ends)):
            end = self._ends.popleft()
            put_back: Callable[[Outcome | Hold], None] | None = self._ends.append
            try:
                done = self._funds.close(end) if isinstance(end, Outcome) else self._funds.release(end)
                if isawaitable(done):
                    await done
                put_back = None
            except StoreUnavailableError:
                put_back = self._ends.appendleft
                return
            finally:
                if put_back:
                    put_back(end)
                self._on_change(len(self._ends))
