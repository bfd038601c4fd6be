"""The books and a journal in memory, with everything that may go wrong with them."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from tollway.billing.lease import divide
from tollway.billing.ledger import BudgetRef, HoldRefused, Outcome
from tollway.billing.store import (
    Ask,
    JournalUnavailableError,
    Leased,
    LeaseOrder,
    Recalled,
    Roll,
    StoreUnavailableError,
)
from tollway.money import Microdollars, MoneyOverflowError

T = TypeVar("T")

BEFORE: Final = "before"
AFTER: Final = "after"


class FakeBooks:
    """Implements Books over plain sums, each call a step of its own that takes a turn of the loop each way.

    `balances`: what was ever paid in, by budget id; a limit that comes with a BudgetRef takes its place. `fails`: the
    database goes away BEFORE or AFTER the call of that name was carried out ("": it does not); `away`: any call.
    `poison`: outcomes of these requests cannot be settled. `held_up`: calls of these names wait before they are carried
    out.
    """

    def __init__(self, balances: Mapping[str, int] | None = None) -> None:
        self.balances = Counter(balances or {})
        self.spent: Counter[str] = Counter()
        self.leases: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by worker, then by budget
        self.marks: dict[str, str] = {}  # the partly covered request of a budget
        self.recalled: set[tuple[str, str]] = set()  # worker, budget
        self.workers: list[str] = []
        self.settled: dict[str, Outcome] = {}
        self.calls: list[str] = []
        self.orders: list[LeaseOrder] = []
        self.batches: list[list[str]] = []  # request ids of each call of `settle`
        self.returned: list[dict[str, Microdollars]] = []  # by each call of `give_back`
        self.away = ""
        self.fails: Callable[[str], str] = lambda _: ""
        self.poison: set[str] = set()
        self.held_up: set[str] = set()

    def count(self, call: str) -> int:
        return self.calls.count(call)

    def leased(self, budget_id: str) -> int:
        return sum(leases[budget_id] for leases in self.leases.values())

    async def enlist(self, worker_id: str, node: str) -> None:
        await self._call("enlist", lambda: self.workers.append(worker_id))

    async def report(self, worker_id: str) -> Roll:
        def work() -> Roll:
            mine = sorted(id_ for worker, id_ in self.recalled if worker == worker_id)
            self.recalled -= {(worker_id, id_) for id_ in mine}
            return Roll(max(1, len(self.workers)), tuple(mine))

        return await self._call("report", work)

    async def is_recalled(self, worker_id: str) -> bool:
        return await self._call("is_recalled", lambda: any(worker == worker_id for worker, _ in self.recalled))

    async def lease(self, order: LeaseOrder) -> Leased | Recalled | HoldRefused:
        self.orders.append(order)
        return await self._call("lease", lambda: self._lease(order))

    def _lease(self, order: LeaseOrder) -> Leased | Recalled | HoldRefused:
        mine = self.leases[order.worker_id]
        parts: list[tuple[int, int]] = []
        for ask in order.asks:
            assert ask.free <= mine[ask.budget.id], "more is put on the table than was leased"
            part = divide(
                ask.need,
                self._within_reach(ask),
                order.sharers,
                order.policy,
                others_partly_covered=self.marks.get(ask.budget.id, order.request_id) != order.request_id,
            )
            is_short = part is None or part[0] < ask.need
            if is_short and not order.is_last_try and self._recall(order.worker_id, ask.budget.id):
                return Recalled(ask.budget)
            if part is None:
                return HoldRefused(ask.budget, Microdollars(self._within_reach(ask)))
            parts.append(part)
        for ask, (held, kept) in zip(order.asks, parts, strict=True):
            if held < ask.need:
                self.marks[ask.budget.id] = order.request_id
            mine[ask.budget.id] += held + kept - ask.free
        return Leased(*(tuple(map(Microdollars, amounts)) for amounts in zip(*parts, strict=True)))

    def _within_reach(self, ask: Ask) -> int:
        return self._available(ask.budget) + ask.free

    def _available(self, budget: BudgetRef) -> int:
        limit = self.balances[budget.id] if budget.limit is None else budget.limit
        return limit - self.spent[budget.id] - self.leased(budget.id)

    def _recall(self, asking: str, budget_id: str) -> bool:
        others = {worker for worker, leases in self.leases.items() if worker != asking and leases[budget_id]}
        self.recalled |= {(worker, budget_id) for worker in others}
        return bool(others)

    async def give_back(
        self, worker_id: str, free: Mapping[str, Microdollars], partly_covered: Sequence[str] = ()
    ) -> None:
        def work() -> None:
            for id_, amount in free.items():
                assert amount >= 0
                self._lower(worker_id, id_, amount)
            self._unmark(partly_covered)

        self.returned.append(dict(free))
        await self._call("give_back", work)

    async def settle(self, worker_id: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        def work() -> tuple[str, ...]:
            ids = [outcome.hold.request_id for outcome in outcomes]
            if self.poison & set(ids):
                raise MoneyOverflowError
            before = tuple(id_ for id_ in ids if id_ in self.settled)
            for outcome in outcomes:
                if outcome.hold.request_id not in self.settled:
                    self._settle(worker_id, outcome)
            return before

        self.batches.append([outcome.hold.request_id for outcome in outcomes])
        return await self._call("settle", work)

    def _settle(self, worker_id: str, outcome: Outcome) -> None:
        self.settled[outcome.hold.request_id] = outcome
        for ref, amount in zip(outcome.hold.budgets, outcome.hold.amounts, strict=True):
            self.spent[ref.id] += outcome.charge
            self._lower(worker_id, ref.id, min(outcome.charge, amount))
        self._unmark([outcome.hold.request_id])

    async def retire(self, worker_id: str) -> None:
        def work() -> None:
            self.leases.pop(worker_id, None)

        await self._call("retire", work)

    async def balance(self, budget: BudgetRef) -> int:
        return await self._call("balance", lambda: self._available(budget))

    def _lower(self, worker_id: str, budget_id: str, amount: int) -> None:
        self.leases[worker_id][budget_id] -= min(amount, self.leases[worker_id][budget_id])

    def _unmark(self, request_ids: Iterable[str]) -> None:
        self.marks = {id_: request for id_, request in self.marks.items() if request not in set(request_ids)}

    async def _call(self, name: str, work: Callable[[], T]) -> T:
        self.calls.append(name)
        await asyncio.sleep(0)
        while name in self.held_up:
            await asyncio.sleep(0)
        goes = self.away or self.fails(name)
        if goes == BEFORE:
            raise StoreUnavailableError("gone")
        try:
            return work()
        finally:
            await asyncio.sleep(0)
            if goes == AFTER:
                raise StoreUnavailableError("gone, and nobody knows")


class FakeJournal:
    """Implements Journal in memory: `records` are kind, request id and payload, in order.

    As `by_hand` a close is durable once `sync` was called. `is_full`: nothing new is opened. `is_broken`: nothing can
    be made durable.
    """

    def __init__(self, by_hand: bool = False) -> None:
        self.records: list[tuple[str, str, bytes]] = []
        self.is_full = False
        self.is_broken = False
        self._by_hand = by_hand
        self._waiting: list[asyncio.Future[None]] = []

    def of(self, kind: str) -> list[str]:
        """Ids of the requests with such a record, in order."""
        return [request_id for one, request_id, _ in self.records if one == kind]

    def open(self, request_id: str, payload: bytes) -> None:
        if self.is_full:
            raise JournalUnavailableError("full")
        self.records.append(("open", request_id, payload))

    def progress(self, entries: Iterable[tuple[str, bytes]]) -> None:
        self.records += [("progress", request_id, payload) for request_id, payload in entries]

    def close(self, request_id: str, payload: bytes) -> "asyncio.Future[None]":
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append(durable)
        self.records.append(("close", request_id, payload))
        if not self._by_hand:
            self.sync()
        return durable

    def sync(self) -> None:
        waiting, self._waiting = self._waiting, []
        for durable in waiting:
            if self.is_broken:
                durable.set_exception(JournalUnavailableError("broken"))
            else:
                durable.set_result(None)

    def release(self, request_id: str) -> None:
        self.records.append(("release", request_id, b""))

    def acknowledge(self, request_ids: Iterable[str]) -> None:
        self.records += [("acknowledge", request_id, b"") for request_id in request_ids]
