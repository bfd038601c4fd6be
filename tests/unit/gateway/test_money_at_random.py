"""Two workers on the same budgets, with books and journals that fail at random: no money is promised twice or lost.

After each turn of the loop: what requests hold, and what ended ones used that is not settled yet, is leased to their
worker by the books; a budget is overdrawn by one request's excess at most (guarantees M2, and M1 at the end).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from structlog.testing import capture_logs

from tollway.billing.ledger import Hold, HoldPolicy, Outcome
from tollway.billing.store import StoreUnavailableError
from tollway.gateway.funds import IDLE_S
from unit.billing.outcomes import KEY, USER, order_of, outcome_of
from unit.gateway.fake_money import AFTER, BEFORE, FakeBooks
from unit.gateway.fakes import Clock
from unit.gateway.worker import Worker, turns

NEED_MAX = 400
LIMITS = {USER.id: 2_500, KEY.id: KEY.limit or 0}
MIXES = [(USER,), (KEY,), (USER, KEY)]
STEPS = {"request": 9, "end": 7, "settle": 3, "report": 1, "heed": 1, "leave": 1, "wait": 2}  # how often
LENGTH = 250


class Walk:
    """Requests at random. `open`: holds under way; `ended`: closed ones; each with its worker."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.books = FakeBooks({USER.id: LIMITS[USER.id]})
        self.books.fails = self.fail
        self.clock = Clock()
        self.workers = [Worker(self.books, id_, clock=self.clock) for id_ in "ab"]
        self.settling: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.waiting: list[asyncio.Task[None]] = []
        self.open: list[tuple[Worker, Hold]] = []
        self.ended: dict[str, tuple[Worker, Outcome]] = {}
        self.happened: Counter[str] = Counter()
        self.number = 0

    def fail(self, _: str) -> str:
        return self.random.choices(["", BEFORE, AFTER], [12, 1, 1])[0]

    # what may happen

    async def request(self, worker: Worker) -> None:
        self.number += 1
        policy = self.random.choice(list(HoldPolicy))
        order = order_of(f"r{self.number}", self.random.randint(1, NEED_MAX), self.random.choice(MIXES), policy)
        try:
            answer = await worker.hold(order)
        except StoreUnavailableError:
            self.happened["unavailable"] += 1
            return
        if isinstance(answer, Hold):
            self.open.append((worker, answer))
            self.happened["partly" if answer.is_partly_covered else "covered"] += 1
        else:
            self.happened["refused"] += 1

    def end(self) -> None:
        if not self.open:
            return
        worker, hold = self.open.pop(self.random.randrange(len(self.open)))
        if self.random.random() < 0.3:
            worker.funds.release(hold)
            self.happened["released"] += 1
            return
        charge = self.random.choice([0, self.random.randint(0, hold.worst_case), hold.worst_case])
        outcome = outcome_of(hold, charge)
        self.ended[hold.request_id] = worker, outcome
        worker.journal.is_broken = self.random.random() < 0.1
        self.start(lambda: worker.funds.close(outcome))

    async def settle(self, worker: Worker) -> None:
        if worker.id not in self.settling:
            self.settling.add(worker.id)
            try:
                await worker.settlement.settle()
            finally:
                self.settling.discard(worker.id)

    def leave(self) -> None:
        if self.waiting:
            self.random.choice(self.waiting).cancel()
            self.happened["left"] += 1

    def start(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        async def tell_only_bugs() -> None:
            try:
                await work()
            except StoreUnavailableError:
                self.happened["job failed"] += 1

        task = asyncio.get_running_loop().create_task(tell_only_bugs())
        self.tasks.add(task)
        return task

    def step(self) -> None:
        worker = self.random.choice(self.workers)
        what = self.random.choices(list(STEPS), list(STEPS.values()))[0]
        if what == "request":
            self.waiting.append(self.start(lambda: self.request(worker)))
        elif what == "end":
            self.end()
        elif what == "settle":
            self.start(lambda: self.settle(worker))
        elif what == "leave":
            self.leave()
        elif what == "wait":
            self.clock.now += self.random.choice([0.1, 0.3, 3])
        else:
            self.start(worker.funds.report if what == "report" else worker.funds.heed)
        self.waiting = [task for task in self.waiting if not task.done()]

    # what must hold

    def check(self) -> None:
        unsettled = [
            (worker, outcome) for id_, (worker, outcome) in self.ended.items() if id_ not in self.books.settled
        ]
        needed: Counter[tuple[str, str]] = Counter()
        partly: Counter[str] = Counter()
        for worker, hold in self.open:
            for ref, amount in zip(hold.budgets, hold.amounts, strict=True):
                needed[worker.id, ref.id] += amount
                partly[ref.id] += amount < hold.worst_case
        for worker, outcome in unsettled:
            for ref, amount in zip(outcome.hold.budgets, outcome.hold.amounts, strict=True):
                needed[worker.id, ref.id] += min(amount, outcome.charge)
                partly[ref.id] += amount < outcome.hold.worst_case
        for (worker_id, id_), amount in needed.items():
            assert amount <= self.books.leases[worker_id][id_], f"{worker_id} holds what it has not leased of {id_}"
        for id_, limit in LIMITS.items():
            assert partly[id_] <= 1, f"{id_} covers two requests partly"
            assert limit - self.books.spent[id_] - self.books.leased(id_) > -NEED_MAX
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.discard(task)
            if not task.cancelled():
                task.result()

    async def run(self) -> None:
        for _ in range(LENGTH):
            self.step()
            for _ in range(self.random.randint(0, 3)):
                await asyncio.sleep(0)
                self.check()
        await self.come_to_rest()

    async def come_to_rest(self) -> None:
        """Everything is there again, and nobody comes any more: all that was leased comes back."""
        self.books.fails = lambda _: ""
        while self.tasks or self.open:
            while self.open:
                self.end()
            await turns()
            self.check()
        for _ in range(2):
            self.clock.now += IDLE_S + 1
            for worker in self.workers:
                await worker.settlement.settle()
                await worker.funds.report()
        self.check()
        charges = {id_: outcome.charge for id_, (_, outcome) in self.ended.items()}
        assert {id_: outcome.charge for id_, outcome in self.books.settled.items()} == charges
        for id_ in LIMITS:
            budgets_charges = [
                outcome.charge for _, outcome in self.ended.values() if id_ in {ref.id for ref in outcome.hold.budgets}
            ]
            assert self.books.spent[id_] == sum(budgets_charges)
            assert self.books.leased(id_) == 0
        assert self.books.marks == {}
        assert [worker.totals for worker in self.workers] == [(0, 0, 0)] * 2


@pytest.mark.parametrize("seed", range(40))
def test_no_money_is_promised_twice_or_lost(seed: int) -> None:
    walk = Walk(seed)
    with capture_logs():
        asyncio.run(walk.run())
    assert not {"covered", "refused", "released", "unavailable", "left", "job failed"} - set(walk.happened)
