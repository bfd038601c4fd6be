"""Random, seeded scenarios against the plain model; the books are verified after every step (guarantees §2).

`SIMULATIONS=334 make test ARGS=tests/contract/test_simulation.py` runs 10⁵ steps on each database.
"""

import os
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, select

from contract.commit_fault import CommitFault
from contract.desk import Desk
from contract.model import Model
from contract.scenario import ACME, ANN, BOB, Clock, day_of_ann, key_of_ann, top_up
from tollway.billing.ledger import BudgetRef, Correction, Hold, HoldPolicy, HoldRefused, Outcome
from tollway.billing.store import LeaseOrder, Recalled, Roll
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import budgets, leases

STEPS = 300
SEEDS = range(1, 1 + int(os.environ.get("SIMULATIONS", "3")))


class Checked:
    """The books and the model, asked together; both must answer alike. Now and then an acknowledgement is lost."""

    def __init__(self, database: Database, dice: Random) -> None:
        self.database, self.dice, self.model = database, dice, Model()
        self.books = SqlBooks(database, Clock())
        self.orders: dict[str, LeaseOrder] = {}

    async def enlist(self, worker: str) -> None:
        await self._hurt(self.books.enlist(worker, "node"))

    async def report(self, worker: str, alive: int) -> Roll:
        roll = await self._hurt(self.books.report(worker))
        assert roll == Roll(alive, self.model.report(worker))
        return roll

    async def lease(self, order: LeaseOrder) -> Any:
        answer = await self._hurt(self.books.lease(order))
        assert answer == self.model.lease(order)
        return answer

    async def give_back(self, worker: str, free: dict[str, Any], partly_covered: Any = ()) -> None:
        await self._hurt(self.books.give_back(worker, free, partly_covered))
        self.model.give_back(worker, free, partly_covered)

    async def settle(self, worker: str, outcomes: list[Outcome]) -> tuple[str, ...]:
        before = self.model.settle(worker, outcomes)
        found = await self._hurt(self.books.settle(worker, outcomes))
        assert set(found) == before or self.was_committed  # the attempt that got lost had settled them
        return found

    async def retire(self, worker: str) -> None:
        await self._hurt(self.books.retire(worker))
        self.model.retire(worker)

    async def correct(self, request_id: str, correction: Correction) -> bool:
        done = await self._hurt(self.books.correct(request_id, correction))
        assert done == self.model.correct(request_id, correction.charge) or self.was_committed
        return done

    async def _hurt(self, step: Coroutine[Any, Any, Any]) -> Any:
        self.was_committed = self.dice.random() < 0.5
        with CommitFault(self.database, int(self.dice.random() < 0.1), committed=self.was_committed):
            return await step


class Simulation:
    def __init__(self, seed: int, database: Database) -> None:
        self.dice = Random(seed)
        self.database = database
        self.books = Checked(database, self.dice)
        self.desks: list[Desk] = []
        self.settled: list[tuple[str, Outcome]] = []  # delivered already, by which worker
        self.late: list[tuple[str, Outcome]] = []  # of workers that were given up too early
        self.overdraft = 0  # what requests cost beyond their holds, or after their worker was given up
        self.step = self.workers = 0

    async def run(self) -> None:
        actions: list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]] = [
            (10, self.hold),
            (8, self.end),
            (4, self.settle),
            (2, self.give_back),
            (2, self.answer_recalls),
            (1, self.drop),
            (2, self.top_up),
            (1, self.deliver_again),
            (1, self.correct),
            (1, self.die),
        ]
        for self.step in range(STEPS):
            while len(self.desks) < 2 or (len(self.desks) < 4 and self.dice.random() < 0.05):
                await self.start()
            (action,) = self.dice.choices([action for _, action in actions], [weight for weight, _ in actions])
            await action()
            await self.compare()

    async def start(self) -> None:
        self.workers += 1
        self.desks.append(Desk(self.books, f"w{self.workers}"))
        await self.books.enlist(self.desks[-1].name)

    async def hold(self) -> None:
        desk, sharers = self.dice.choice(self.desks), self.dice.choice((1, 2, 4))
        refs, policy = self._refs(), self.dice.choice(list(HoldPolicy))
        worst_case, last = self.dice.choice((1, self.dice.randint(1, 500))), self.dice.random() < 0.5
        answer = await desk.hold(f"r{self.step}", worst_case, *refs, policy=policy, sharers=sharers, last=last)
        assert isinstance(answer, Hold | HoldRefused) or (isinstance(answer, Recalled) and not last)

    async def end(self) -> None:
        desk = self.dice.choice(self.desks)
        if desk.open:
            hold = self.dice.choice(list(desk.open.values()))
            charge = self.dice.choice((0, hold.amount, self.dice.randint(0, hold.amount + 50)))
            desk.end(hold.request_id, charge, self.dice.choice((0, 0, 9)))

    async def settle(self) -> None:
        desk = self.dice.choice(self.desks)
        if self.late and self.dice.random() < 0.5:
            worker, late = self.late.pop()
            await self._settled(worker, [late])
            self.overdraft += min(late.charge, *late.hold.amounts)  # its lease had come back: others may have it by now
        delivered = list(desk.ended)
        await desk.settle()
        self._remember(desk.name, delivered)

    async def drop(self) -> None:
        desk = self.dice.choice(self.desks)
        if desk.open:
            await desk.drop(self.dice.choice(list(desk.open)))

    async def give_back(self) -> None:
        await self.dice.choice(self.desks).give_back(lambda amount: self.dice.choice((0, amount // 2, amount)))

    async def answer_recalls(self) -> None:
        desk = self.dice.choice(self.desks)
        roll = await self.books.report(desk.name, len(self.desks))
        recalled = set(roll.recalled)
        given = {id_: amount for id_, amount in desk.free.items() if id_ in recalled}
        desk.free.subtract(given)
        await self.books.give_back(desk.name, given)

    async def top_up(self) -> None:
        account, amount = self.dice.choice((ANN, BOB, ACME)), self.dice.randint(1, 800)
        await top_up(self.database, account, amount, f"t{self.step}")
        self.books.model.top_up(account, amount)

    async def deliver_again(self) -> None:
        """What was settled, by its own worker or, after a replay, by another."""
        if self.settled:
            worker, again = self.dice.choice(self.settled)
            name = self.dice.choice((worker, self.dice.choice(self.desks).name))
            assert await self.books.settle(name, [again, again]) == (again.hold.request_id,)

    async def correct(self) -> None:
        if self.settled:
            _, outcome = self.dice.choice(self.settled)
            charge = self.dice.randint(-outcome.charge, 50)
            if await self.books.correct(
                outcome.hold.request_id, Correction(charge, self.dice.choice((-outcome.absorbed, 0, 3)))
            ):
                self.overdraft += max(0, charge)

    async def die(self) -> None:
        """A worker vanishes; what its journal has of ended requests is settled, mostly before it is given up."""
        desk = self.desks.pop(self.dice.randrange(len(self.desks)))
        outcomes, is_late = desk.ended, self.dice.random() < 0.3
        if not is_late:
            await self._settled(desk.name, outcomes)
        await self.books.retire(desk.name)
        await self.books.retire(desk.name)
        if is_late:
            self.late += [(desk.name, outcome) for outcome in outcomes]

    async def compare(self) -> None:
        where = f"step {self.step}"
        assert await verify_books(self.database) == [], where
        model = self.books.model
        for ref in (ANN, BOB, ACME, day_of_ann(2_000), key_of_ann(1_500)):
            assert await self.books.books.balance(ref) == model.left(ref), (where, ref)
        for ref in (ANN, BOB, ACME):
            # Never more is leased than there is; what an account owes is what requests cost beyond their holds.
            assert model.left(ref) >= -self.overdraft, (where, ref)
            for desk in self.desks:
                assert desk.slice(ref) == model.leases[desk.name, ref.id], (where, ref)
        found = await self.database.read(_leases_and_marks)
        leased = {key: (amount, key in model.recalled) for key, amount in model.leases.items() if amount}
        assert found == (leased, model.marks), where

    def _refs(self) -> tuple[BudgetRef, ...]:
        day, key = day_of_ann(self.dice.choice((1_000, 2_000))), key_of_ann(self.dice.choice((700, 1_500)))
        return self.dice.choice(((ANN,), (ANN, key), (BOB,), (ACME, day), (ACME, key, day)))

    async def _settled(self, worker: str, outcomes: list[Outcome]) -> None:
        await self.books.settle(worker, outcomes)
        self._remember(worker, outcomes)

    def _remember(self, worker: str, outcomes: list[Outcome]) -> None:
        self.settled += [(worker, outcome) for outcome in outcomes]
        self.overdraft += sum(max(0, outcome.charge - min(outcome.hold.amounts)) for outcome in outcomes)


def _leases_and_marks(connection: Connection) -> tuple[dict, dict]:
    leased = connection.execute(
        select(leases.c.worker_id, leases.c.budget_id, leases.c.amount_microdollars, leases.c.recalled)
    )
    marks = connection.execute(
        select(budgets.c.id, budgets.c.partly_covered_request, budgets.c.partly_covered_worker).where(
            budgets.c.partly_covered_request.is_not(None)
        )
    )
    return (
        {(worker, budget): (amount, recalled) for worker, budget, amount, recalled in leased},
        {budget: (request, worker) for budget, request, worker in marks},
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_steps_agree_with_the_model(database: Database, seed: int) -> None:
    await Simulation(seed, database).run()
