"""The books as a few dictionaries: what Books and Corrections must do, said as plainly as possible."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tollway.billing.lease import divide
from tollway.billing.ledger import BudgetKind, BudgetRef, HoldRefused, Outcome
from tollway.billing.store import Ask, Leased, LeaseOrder, Recalled


@dataclass
class Model:
    credited: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    leases: Counter[tuple[str, str]] = field(default_factory=Counter)  # by worker and budget
    recalled: set[tuple[str, str]] = field(default_factory=set)
    marks: dict[str, tuple[str, str]] = field(default_factory=dict)  # by budget: request and worker
    settled: dict[str, Outcome] = field(default_factory=dict)
    corrected: set[str] = field(default_factory=set)

    def top_up(self, account: BudgetRef, amount: int) -> None:
        self.credited[account.id] += amount

    def left(self, ref: BudgetRef) -> int:
        """What nobody has spent or leased."""
        is_balance = ref.kind in (BudgetKind.USER, BudgetKind.ORGANIZATION)
        limit = self.credited[ref.id] if is_balance else ref.limit
        return limit - self.spent[ref.id] - sum(self.shares(ref.id).values())

    def shares(self, budget_id: str) -> dict[str, int]:
        """Who has leased how much of a budget."""
        return {worker: amount for (worker, id_), amount in self.leases.items() if id_ == budget_id and amount}

    def lease(self, order: LeaseOrder) -> Leased | Recalled | HoldRefused:
        reach = {ask.budget.id: self.left(ask.budget) + ask.free for ask in order.asks}
        parts = {ask.budget.id: self._divide(order, ask, reach[ask.budget.id]) for ask in order.asks}
        short = [ask for ask in order.asks if parts[ask.budget.id] is None or parts[ask.budget.id][0] < ask.need]
        short.sort(key=lambda ask: reach[ask.budget.id])
        others = {ask.budget.id: set(self.shares(ask.budget.id)) - {order.worker_id} for ask in short}
        if not order.is_last_try and any(others.values()):
            self.recalled |= {(worker, id_) for id_, workers in others.items() for worker in workers}
            return Recalled(next(ask.budget for ask in short if others[ask.budget.id]))
        for ask in short:
            if parts[ask.budget.id] is None:
                return HoldRefused(ask.budget, reach[ask.budget.id])
        for ask in short:
            self.marks[ask.budget.id] = (order.request_id, order.worker_id)
        for ask in order.asks:
            self._set(order.worker_id, ask.budget.id, sum(parts[ask.budget.id]) - ask.free)
        return Leased(
            tuple(parts[ask.budget.id][0] for ask in order.asks), tuple(parts[ask.budget.id][1] for ask in order.asks)
        )

    def give_back(self, worker: str, free: Mapping[str, int], partly_covered: tuple[str, ...] = ()) -> None:
        for id_, amount in free.items():
            self._set(worker, id_, -amount)
        self._clear(lambda request, of: of == worker and request in partly_covered)

    def settle(self, worker: str, outcomes: list[Outcome]) -> set[str]:
        """Which had been settled before."""
        before = {outcome.hold.request_id for outcome in outcomes} & set(self.settled)
        used: Counter[str] = Counter()
        for outcome in outcomes:
            if outcome.hold.request_id in self.settled:
                continue
            self.settled[outcome.hold.request_id] = outcome
            for ref, amount in zip(outcome.hold.budgets, outcome.hold.amounts, strict=True):
                self.spent[ref.id] += outcome.charge
                used[ref.id] += min(outcome.charge, amount)
        for id_, amount in used.items():
            self._set(worker, id_, -amount)
        self._clear(lambda request, _: request in self.settled)
        return before

    def correct(self, request_id: str, charge: int) -> bool:
        if request_id not in self.settled or request_id in self.corrected:
            return False
        self.corrected.add(request_id)
        for ref in self.settled[request_id].hold.budgets:
            self.spent[ref.id] += charge
        return True

    def report(self, worker: str) -> tuple[str, ...]:
        heard = {(of, id_) for of, id_ in self.recalled if of == worker}
        self.recalled -= heard
        return tuple(sorted(id_ for _, id_ in heard))

    def retire(self, worker: str) -> None:
        for of, id_ in list(self.leases):
            if of == worker:
                self._set(of, id_, -self.leases[of, id_])
        self._clear(lambda _, of: of == worker)

    def _divide(self, order: LeaseOrder, ask: Ask, reach: int) -> tuple[int, int] | None:
        others = ask.budget.id in self.marks and self.marks[ask.budget.id][0] != order.request_id
        return divide(ask.need, reach, order.sharers, order.policy, others_partly_covered=others)

    def _set(self, worker: str, budget_id: str, more: int) -> None:
        self.leases[worker, budget_id] = max(0, self.leases[worker, budget_id] + more)
        if not self.leases[worker, budget_id]:
            self.recalled.discard((worker, budget_id))

    def _clear(self, is_over) -> None:
        self.marks = {id_: mark for id_, mark in self.marks.items() if not is_over(*mark)}
