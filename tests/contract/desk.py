"""Desk: a worker as the books see it. It cuts holds from its slices and remembers what it has not settled yet."""

from collections import Counter
from collections.abc import Callable

from contract.scenario import DAY, MANY, order, outcome
from tollway.billing.ledger import BudgetRef, Hold, HoldPolicy, HoldRefused, Outcome
from tollway.billing.store import Books, Leased, Recalled
from tollway.money import Microdollars


class Desk:
    def __init__(self, books: Books, name: str) -> None:
        self.books, self.name = books, name
        self.free: Counter[str] = Counter()
        self.open: dict[str, Hold] = {}
        self.ended: list[Outcome] = []

    async def hold(
        self,
        request_id: str,
        worst_case: int,
        *refs: BudgetRef,
        policy: HoldPolicy = HoldPolicy.PARTIAL,
        sharers: int = MANY,
        last: bool = False,
    ) -> Hold | Recalled | HoldRefused:
        """From the slices where they cover it, else by asking the books with everything that is free there."""
        amounts = (Microdollars(worst_case),) * len(refs)
        if not all(self.free[ref.id] >= worst_case for ref in refs):
            free = tuple(self.free.pop(ref.id, 0) for ref in refs)
            asked = order(
                request_id, worst_case, *refs, worker=self.name, free=free, policy=policy, sharers=sharers, last=last
            )
            answer = await self.books.lease(asked)
            if not isinstance(answer, Leased):
                self._add(refs, free)
                return answer
            self._add(refs, answer.free)
            amounts = answer.held
        else:
            self._add(refs, tuple(-amount for amount in amounts))
        self.open[request_id] = Hold(request_id, Microdollars(worst_case), refs, amounts, DAY)
        return self.open[request_id]

    def end(self, request_id: str, charge: int, absorbed: int = 0) -> Outcome:
        """What the charge does not use of the hold is free again at once."""
        hold = self.open.pop(request_id)
        ended = outcome(hold, charge, absorbed)
        self._add(hold.budgets, tuple(amount - min(charge, amount) for amount in hold.amounts))
        self.ended.append(ended)
        return ended

    async def drop(self, request_id: str) -> None:
        """Nothing was sent upstream: the request ends without an outcome."""
        hold = self.open.pop(request_id)
        self._add(hold.budgets, hold.amounts)
        if hold.is_partly_covered:
            await self.books.give_back(self.name, {}, [request_id])

    async def give_back(self, share: Callable[[int], int] = lambda amount: amount) -> None:
        given = {id_: Microdollars(share(amount)) for id_, amount in self.free.items()}
        self.free.subtract(given)
        await self.books.give_back(self.name, given)

    async def settle(self) -> tuple[str, ...]:
        settled, self.ended = self.ended, []
        return await self.books.settle(self.name, settled)

    def slice(self, ref: BudgetRef) -> int:
        """What the worker has leased of a budget, as it knows it."""
        held = sum(_of(hold, ref) for hold in self.open.values())
        used = sum(min(ended.charge, _of(ended.hold, ref)) for ended in self.ended)
        return self.free[ref.id] + held + used

    def _add(self, refs: tuple[BudgetRef, ...], amounts: tuple[int, ...]) -> None:
        for ref, amount in zip(refs, amounts, strict=True):
            self.free[ref.id] += amount


def _of(hold: Hold, ref: BudgetRef) -> int:
    return sum(amount for other, amount in zip(hold.budgets, hold.amounts, strict=True) if other.id == ref.id)
