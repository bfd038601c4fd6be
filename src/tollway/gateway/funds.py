"""The money side of every request: holds cut from leased slices in memory, ends written to the journal.

Only when a slice does not cover a request are the books asked, once for all who wait. Life of a hold: `hold` → `open`
before each attempt → `close` with an outcome, or `release` without one. Source: guarantees M2, M4, docs/adr/0003.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from tollway.billing.ledger import Hold, HoldOrder, HoldRefused, Outcome
from tollway.billing.recovery import closed_of, encode_entry
from tollway.billing.slices import Slices
from tollway.billing.store import (
    Books,
    Journal,
    JournalUnavailableError,
    LeaseOrder,
    Recalled,
    StoreUnavailableError,
)
from tollway.gateway.settlement import Settlement
from tollway.money import Microdollars
from tollway.observability.logs import get_log

RECALL_S: Final = 0.6  # how long a request waits for others to give back; they look every HEED_S
HEED_S: Final = 0.2
REPORT_S: Final = 5.0
IDLE_S: Final = 5.0  # a slice that no request has used for so long goes back
REFUSAL_KEPT_S: Final = 0.2  # an empty budget is not asked for by every request that comes
UNMARKED_MAX: Final = 10_000  # as many as may come to nothing while the books are away; the oldest give way

_log = get_log()


class Funds:
    """Of one worker. Runs on its event loop; instants are monotonic seconds."""

    def __init__(
        self,
        worker_id: str,
        books: Books,
        journal: Journal,
        slices: Slices,
        settlement: Settlement,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._worker_id = worker_id
        self._books = books
        self._journal = journal
        self._slices = slices
        self._settlement = settlement
        self._now = now
        self._sleep = sleep
        self._sharers = 1
        self._asking: dict[str, asyncio.Future[None]] = {}  # budgets the books are being asked about
        self._recalled: set[str] = set()  # to give back once they are not being asked about
        # what the books have just said of a budget: until when it counts, and for which need
        self._said: dict[str, tuple[float, HoldRefused | Recalled, Microdollars]] = {}
        # requests without an outcome that the books may know as the partly covered one of a budget
        self._unmarked: deque[str] = deque(maxlen=UNMARKED_MAX)
        self.open = journal.open

    # holds

    def hold(self, order: HoldOrder) -> Hold | HoldRefused | Awaitable[Hold | HoldRefused]:
        """Money set aside in all budgets of the order, or in none. Raises StoreUnavailableError (when awaited)."""
        if order.worst_case == 0:  # a free model needs no money
            nothing = (order.worst_case,) * len(order.budgets)
            return Hold(order.request_id, order.worst_case, order.budgets, nothing, order.usage_day)
        return self._slices.cut(order, self._now()) or self._known_refusal(order) or self._lease(order)

    def _known(self, order: HoldOrder) -> HoldRefused | Recalled | None:
        """What the books would say again: they have just said it to one who needed no more."""
        if not self._said:
            return None
        now = self._now()
        for ref in order.budgets:
            until, answer, need = self._said.get(ref.id, (0.0, None, order.worst_case))
            if now < until and order.worst_case >= need and answer and answer.budget == ref:
                return answer
        return None

    def _known_refusal(self, order: HoldOrder) -> HoldRefused | None:
        answer = self._known(order)
        return answer if isinstance(answer, HoldRefused) else None

    async def _lease(self, order: HoldOrder) -> Hold | HoldRefused:
        answer = await self._turn(order) or self._known(order) or await self._ask(order, is_last_try=False)
        while isinstance(answer, Recalled):
            await self._sleep(RECALL_S)
            answer = await self._turn(order) or await self._ask(order, is_last_try=True)
        return answer

    async def _turn(self, order: HoldOrder) -> Hold | HoldRefused | None:
        """Wait until nobody asks the books about any budget of the order; their answer may do for this one too."""
        answer: Hold | HoldRefused | None = None
        while asked := [self._asking[ref.id] for ref in order.budgets if ref.id in self._asking]:
            await asyncio.shield(asked[0])
            answer = self._slices.cut(order, self._now()) or self._known_refusal(order)
            if answer:
                break
        return answer

    async def _ask(self, order: HoldOrder, is_last_try: bool) -> Hold | HoldRefused | Recalled:
        """Ask the books, alone for these budgets."""
        asks = self._slices.stake(order)
        with self._alone([ref.id for ref in order.budgets], [order.request_id]):
            leased = await self._books.lease(
                LeaseOrder(self._worker_id, order.request_id, asks, order.policy, self._sharers, is_last_try)
            )
        if isinstance(leased, HoldRefused | Recalled):
            self._slices.restore(asks)
            self._remember(leased, order.worst_case)
            return leased
        return self._slices.deal(order, leased, self._now())

    @contextmanager
    def _alone(self, budget_ids: Iterable[str], request_ids: Iterable[str]) -> Iterator[None]:
        """Nobody else asks about these budgets meanwhile. When it fails it may have been carried out all the same, or
        not, and one of these requests, which are over then, be marked as partly covered."""
        ids = tuple(budget_ids)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.update(dict.fromkeys(ids, answered))
        is_doubtful = True
        try:
            yield
            is_doubtful = False
        finally:
            if is_doubtful:
                self._slices.doubt(ids)
                self._unmarked += request_ids
            for id_ in ids:
                del self._asking[id_]
            answered.set_result(None)

    def _remember(self, answer: HoldRefused | Recalled, need: Microdollars) -> None:
        now = self._now()
        until = now + (RECALL_S if isinstance(answer, Recalled) else REFUSAL_KEPT_S)
        self._said = {id_: kept for id_, kept in self._said.items() if now < kept[0]}
        self._said[answer.budget.id] = (until, answer, need)

    # ends

    async def close(self, outcome: Outcome) -> None:
        """Make an outcome durable: in the journal, or in the books when the journal cannot. Raises
        StoreUnavailableError when neither can; it is settled as soon as the books are back."""
        try:
            await self._journal.close(outcome.hold.request_id, encode_entry(closed_of(outcome)))
        except JournalUnavailableError as error:
            _log.error("journal_unavailable", request_id=outcome.hold.request_id, error=error)
            await self._close_in_books(outcome)
        else:
            self._slices.end(outcome.hold, outcome.charge)
            self._settlement.add(outcome)

    async def _close_in_books(self, outcome: Outcome) -> None:
        self._slices.end(outcome.hold, outcome.charge)
        try:
            await self._books.settle(self._worker_id, [outcome])
        except StoreUnavailableError:
            self._settlement.add(outcome)
            raise
        except (ValueError, ArithmeticError) as error:
            self._settlement.put_aside(outcome, error)
            return
        self._slices.settled([outcome])
        self._journal.acknowledge([outcome.hold.request_id])

    def release(self, hold: Hold) -> None:
        """End a hold without an outcome: nothing went upstream, or nothing can have been billed for it."""
        self._journal.release(hold.request_id)
        self._slices.end(hold, 0)
        if hold.is_partly_covered:
            self._unmarked.append(hold.request_id)

    # beside the requests

    async def report(self) -> None:
        """Say that this worker lives, and give back what nobody uses or others wait for. Raises
        StoreUnavailableError."""
        roll = await self._books.report(self._worker_id)
        self._sharers = roll.workers
        self._recalled.update(roll.recalled)
        await self._give_back({*self._recalled, *self._slices.idle(self._now() - IDLE_S, but_not=self._asking)})

    async def heed(self) -> None:
        """Give back at once what others wait for; nobody waits for one who has nothing. Raises
        StoreUnavailableError."""
        if self._recalled or (len(self._slices) and await self._books.is_recalled(self._worker_id)):
            await self.report()

    async def _give_back(self, budget_ids: Iterable[str]) -> None:
        free = self._slices.take_free(id_ for id_ in budget_ids if id_ not in self._asking)
        self._recalled.intersection_update(self._asking)
        free |= self._slices.take_doubtful(but_not=self._asking)
        unmarked = list(self._unmarked)
        self._unmarked.clear()
        if free or unmarked:
            with self._alone(free, unmarked):
                await self._books.give_back(self._worker_id, free, unmarked)
