"""What the money path needs from storage.

`hold` and `close` may answer at once (a lease, a journal) or be awaited (a transaction): callers await what is
awaitable. `close` is the durability gate: the last bytes of an answer reach the client only after it.
"""

from collections.abc import Awaitable
from typing import Protocol

from tollway.billing.ledger import BudgetRef, Hold, HoldOrder, HoldRefused, Outcome, Receipt


class FundsStore(Protocol):
    """Raises StoreUnavailableError when the books cannot be reached; nothing is served on credit."""

    def hold(self, order: HoldOrder) -> Hold | HoldRefused | Awaitable[Hold | HoldRefused]:
        """Set money aside in all budgets or in none; the same request id again gives the same hold."""
        ...

    def close(self, outcome: Outcome) -> Receipt | Awaitable[Receipt]:
        """Make the outcome durable: postings, usage row, budgets and the end of the hold, together, once per id."""
        ...

    def release(self, hold: Hold) -> Awaitable[None] | None:
        """End a hold without a charge (nothing went upstream). Harmless when it has already ended."""
        ...

    async def balance(self, budget: BudgetRef) -> int:
        """Micro-dollars available now: balance or limit, less spent, less held."""
        ...

    async def expire_holds(self) -> int:
        """Release holds past their time; how many there were."""
        ...


class StoreUnavailableError(Exception):
    """The database did not answer in time, or at all."""
