"""SqlBooks: the books on SQLite and PostgreSQL. Each method is one transaction.

Budgets are locked first, in lock order, and everything else is read after that, so that two steps about the same money,
in whatever processes, happen one after the other. Settlements and corrections are known by what they wrote, and so
not made twice; changes of leases leave nothing to know them by, and go through Once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection

from tollway.billing.ledger import BudgetRef, Correction, HoldRefused, Outcome
from tollway.billing.notices import TopUpRules
from tollway.billing.store import Leased, LeaseOrder, Recalled, Roll, SilentWorker, UncertainRow
from tollway.clock import utc_now
from tollway.money import Microdollars
from tollway.storage.sql import budgets, changes, corrections, leases, settlement, workers
from tollway.storage.sql.announcements import tell_refused
from tollway.storage.sql.changes import Once
from tollway.storage.sql.database import Database
from tollway.storage.sql.key_use import KeyUse, note_uses
from tollway.wire.generation import Generation

T = TypeVar("T")

DEFAULT_TOP_UPS: Final = TopUpRules()
ANSWERED_MAX: Final = 10_000  # beyond that their rows stay until the worker is retired


class SqlBooks:
    """Implements Books and Corrections. `now` gives the present instant, for the time-stamps of rows."""

    def __init__(
        self, database: Database, now: Callable[[], datetime] = utc_now, top_ups: TopUpRules = DEFAULT_TOP_UPS
    ) -> None:
        self._database = database
        self._now = now
        self._top_ups = top_ups
        self._key_use = KeyUse()
        self._answered: set[str] = set()  # changes of leases whose rows the next report removes

    async def enlist(self, worker_id: str, node: str) -> None:
        now = self._now()
        await self._database.write(lambda connection: workers.enlist(connection, worker_id, node, now))

    async def report(self, worker_id: str) -> Roll:
        now, answered = self._now(), frozenset(self._answered)
        recalled: set[str] = set()

        def work(connection: Connection) -> int:
            alive, found = workers.report(connection, worker_id, now)
            recalled.update(found)  # also what an attempt found whose acknowledgement was lost: its marks are gone
            changes.forget(connection, answered)
            return alive

        alive = await self._database.write(work, is_patient=True)
        self._answered -= answered
        return Roll(alive, tuple(sorted(recalled)))

    async def is_recalled(self, worker_id: str) -> bool:
        return await self._database.read(lambda connection: workers.is_recalled(connection, worker_id), is_patient=True)

    async def lease(self, order: LeaseOrder) -> Leased | Recalled | HoldRefused:
        now = self._now()
        once = Once[Leased | Recalled | HoldRefused](order.worker_id, lambda answer: isinstance(answer, Leased))

        def work(connection: Connection) -> Leased | Recalled | HoldRefused:
            answer = leases.lease(connection, order, now)
            if isinstance(answer, HoldRefused) and answer.budget.kind in budgets.BALANCE_KINDS:
                tell_refused(connection, answer.budget.id, self._top_ups, now)
            return answer

        return await self._change(once, work)

    async def give_back(
        self, worker_id: str, free: Mapping[str, Microdollars], partly_covered: Sequence[str] = ()
    ) -> None:
        now = self._now()
        once = Once[None](worker_id)
        await self._change(once, lambda connection: leases.give_back(connection, worker_id, free, partly_covered, now))

    async def _change(self, once: Once[T], work: Callable[[Connection], T]) -> T:
        try:
            return await self._database.write(lambda connection: once.run(connection, lambda: work(connection)))
        finally:
            if once.may_have_row and len(self._answered) < ANSWERED_MAX:
                self._answered.add(once.id)

    async def settle(self, worker_id: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        now, top_ups, uses = self._now(), self._top_ups, self._key_use.of(outcomes)

        def work(connection: Connection) -> tuple[str, ...]:
            settled = settlement.settle(connection, worker_id, outcomes, now, top_ups)
            note_uses(connection, uses)
            return settled

        settled = await self._database.write(work, is_patient=True)
        self._key_use.wrote(uses)
        return settled

    async def retire(self, worker_id: str) -> None:
        now = self._now()
        await self._database.write(lambda connection: workers.retire(connection, worker_id, now), is_patient=True)

    async def silent_workers(self) -> tuple[SilentWorker, ...]:
        """Workers that neither live nor have ended, longest silent first."""
        now = self._now()
        return await self._database.read(lambda connection: workers.silent(connection, now))

    async def balance(self, budget: BudgetRef) -> int:
        """MICRODOLLARS_MAX for a member's day or key without a limit."""
        stored = await self._database.read(lambda connection: budgets.read(connection, budget.id))
        return budgets.available(stored, budget)

    async def uncertain(self, before: datetime, limit: int, providers: Iterable[str]) -> tuple[UncertainRow, ...]:
        of = tuple(providers)
        return await self._database.read(lambda connection: corrections.uncertain(connection, before, limit, of))

    async def find_uncertain(self, request_id: str) -> UncertainRow | None:
        return await self._database.read(lambda connection: corrections.find_uncertain(connection, request_id))

    async def unasked(self, providers: Iterable[str]) -> int:
        of = frozenset(providers)
        return await self._database.read(lambda connection: corrections.unasked(connection, of))

    async def correct(self, request_id: str, correction: Correction, found: Generation | None = None) -> bool:
        now = self._now()
        return await self._database.write(
            lambda connection: corrections.correct(connection, request_id, correction, found, now)
        )

    async def note_lookup_failed(self, request_id: str, is_refused: bool = False) -> None:
        await self._database.write(
            lambda connection: corrections.note_lookup_failed(connection, request_id, is_refused)
        )
