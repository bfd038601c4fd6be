"""What the money path needs from storage: the books in a database, and the journal on a local disk.

The books are asked for leases and told of ended requests in batches; neither happens for each request (docs/adr/0003).
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from msgspec import Struct

from tollway.billing.ledger import Basis, BudgetRef, Correction, HoldPolicy, HoldRefused, Outcome
from tollway.money import Microdollars
from tollway.wire.generation import Generation

LOOKUPS_MAX: Final = 10  # an upstream that did not know a request ten times never will


class Ask(Struct, frozen=True):
    """What a hold needs of one budget: `need`, the worst case. `free` is what the worker's slice has left: all of it is
    put on the table, and the answer says how the whole is divided anew."""

    budget: BudgetRef
    need: Microdollars
    free: Microdollars


class LeaseOrder(Struct, frozen=True):
    """One request that the worker's slices do not cover. `sharers`: workers among whom a budget may have to be divided.

    `is_last_try`: others were asked to give back what they do not use, and have had the time to.
    """

    worker_id: str
    request_id: str
    asks: tuple[Ask, ...]
    policy: HoldPolicy
    sharers: int
    is_last_try: bool


class Leased(Struct, frozen=True):
    """Per ask, in its order: what the request holds, and what the worker's slice has free afterwards."""

    held: tuple[Microdollars, ...]
    free: tuple[Microdollars, ...]


class Recalled(Struct, frozen=True):
    """Nothing was leased yet: this budget is short, and other workers were asked to give back what they do not use."""

    budget: BudgetRef


class Roll(Struct, frozen=True):
    """What a worker learns when it reports: how many workers live, itself included, and which of its slices others
    wait for (budget ids)."""

    workers: int
    recalled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UncertainRow:
    """A settled request whose charge was estimated, and what is known of it: to look it up at the upstream by its
    message id, and to decide anew. `lookups`: how often that failed; token bounds and worst case as in its hold."""

    id: str
    provider_id: str
    message_id: str
    upstream_model: str
    basis: Basis
    charge: Microdollars
    absorbed: Microdollars
    market_cost: Microdollars
    worst_case: Microdollars
    price_version: str
    prompt_usd: Decimal
    completion_usd: Decimal
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_max: int
    completion_tokens_max: int
    status_code: int
    finish_reason: str | None
    has_error: bool
    cancelled: bool
    lookups: int
    created_at: datetime
    latency_ms: int  # from then to its end


class Books(Protocol):
    """The database. Each method is one transaction; all raise StoreUnavailableError when it cannot be reached.

    A method that raises may have been carried out all the same. `settle` and `retire` are simply called again. After
    `lease` and `give_back` the money they named counts as given away, until the slice is otherwise unused: then
    `give_back` of MICRODOLLARS_MAX returns whatever is there.
    """

    async def enlist(self, worker_id: str, node: str) -> None:
        """Make a worker known, before its first lease."""
        ...

    async def report(self, worker_id: str) -> Roll:
        """Say that the worker lives."""
        ...

    async def is_recalled(self, worker_id: str) -> bool:
        """Whether others wait for a slice of this worker; a look that changes nothing."""
        ...

    async def lease(self, order: LeaseOrder) -> Leased | Recalled | HoldRefused:
        """Divide anew what the worker has free and what nobody has leased: the request's hold in all its budgets or in
        none, and a share to keep.

        A refusal names the tightest of the budgets that refuse, and what was within reach there. Raises
        WorkerEndedError, MoneyOverflowError, and ValueError for a budget without a limit.
        """
        ...

    async def give_back(
        self, worker_id: str, free: Mapping[str, Microdollars], partly_covered: Sequence[str] = ()
    ) -> None:
        """Return money that no request holds, by budget id; never more than is leased. `partly_covered`: requests that
        ended without an outcome and had been the one partly covered request of their budgets."""
        ...

    async def settle(self, worker_id: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        """Write ended requests of a worker, all or none: usage rows, entries, budgets, and what their holds used of the
        worker's leases. Returns the ids that had been settled before; of those nothing is written again.
        Raises MoneyOverflowError."""
        ...

    async def retire(self, worker_id: str) -> None:
        """The worker has ended and its journal is settled: whatever it still leased comes back."""
        ...

    async def balance(self, budget: BudgetRef) -> int:
        """Micro-dollars nobody has spent or leased: balance or limit, less spent, less leased."""
        ...


class Claims(Protocol):
    """Keys under which callers send a request at most once (guarantees M10). Raises StoreUnavailableError."""

    async def claim(self, scope: str, key: str, request_id: str) -> str:
        """The id of the first request under this key within a day: `request_id`, if it is this one."""
        ...

    async def free(self, request_id: str) -> None:
        """The request ended without anything that could be charged: its key may be used again."""
        ...


class Journal(Protocol):
    """The append-only record of a worker on its local disk. Used on one event loop, and never waits on it."""

    def open(self, request_id: str, payload: bytes) -> None:
        """The request may go upstream: this survives the process. Raises JournalUnavailableError; then it must not."""
        ...

    def progress(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """What was generated so far, by request id. May be dropped; never raises."""
        ...

    def close(self, request_id: str, payload: bytes) -> Awaitable[None]:
        """The outcome: durable once awaited. Raises JournalUnavailableError then when it cannot be made so."""
        ...

    def release(self, request_id: str) -> None:
        """The request ended without an outcome."""
        ...

    def acknowledge(self, request_ids: Iterable[str]) -> None:
        """These are settled."""
        ...


@dataclass(frozen=True, slots=True)
class SilentWorker:
    """A worker that was not seen for a while and has not ended: what it still leases waits for its journal."""

    id: str
    node: str
    seen_at: datetime
    leased_microdollars: int


class Corrections(Protocol):
    """The database, as reconciliation uses it; the same rules as for Books."""

    async def uncertain(self, before: datetime, limit: int, providers: Iterable[str]) -> tuple[UncertainRow, ...]:
        """Requests to these providers, from before that instant, of which nobody has said what they cost, that have a
        message id, were not reconciled and not looked up in vain LOOKUPS_MAX times; oldest first."""
        ...

    async def find_uncertain(self, request_id: str) -> UncertainRow | None:
        """The one with that id, if it is such a request; None as well when it is not settled yet."""
        ...

    async def unasked(self, providers: Iterable[str]) -> int:
        """How many such requests went to other providers: none of these will tell about them."""
        ...

    async def correct(self, request_id: str, correction: Correction, found: Generation | None = None) -> bool:
        """Correct a settled request, once: entries for what differs, its budgets moved, the differences kept on its
        usage row beside the original figures, and what the upstream's record `found` says beside them. False
        when it was reconciled before, or never settled: nothing is
        written. Raises MoneyOverflowError, and ValueError where it takes back more than was booked."""
        ...

    async def note_lookup_failed(self, request_id: str, is_refused: bool = False) -> None:
        """Count a lookup in vain. `is_refused`: nobody looks this one up again."""
        ...


class JournalUnavailableError(Exception):
    """The journal cannot be written: the disk is full or broken."""


class StoreUnavailableError(Exception):
    """The database did not answer in time, or at all."""


class WorkerEndedError(StoreUnavailableError):
    """A worker that is unknown or was retired asked for a lease: nobody would ever return it."""
