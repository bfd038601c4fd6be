"""Outcomes whose settlement the database did not take: kept, and tried again until it does.

They live in memory and their holds in the database, so while the worker lives nothing is charged twice or forgotten.
"""

from collections.abc import Callable
from inspect import isawaitable

from tollway.billing.ledger import Outcome
from tollway.billing.store import FundsStore, StoreUnavailableError


class Unsettled:
    """A queue in order of arrival; `on_change` hears its length."""

    def __init__(self, funds: FundsStore, on_change: Callable[[int], None]) -> None:
        self._funds = funds
        self._on_change = on_change
        self._outcomes: list[Outcome] = []

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._on_change(len(self._outcomes))

    async def settle(self) -> None:
        """Try them all, oldest first, until one is refused again. Settling is idempotent by request id."""
        while self._outcomes:
            outcome = self._outcomes[0]
            try:
                receipt = self._funds.close(outcome)
                if isawaitable(receipt):
                    await receipt
            except StoreUnavailableError:
                return
            self._outcomes.pop(0)
            self._on_change(len(self._outcomes))
