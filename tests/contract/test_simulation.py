"""Random, seeded scenarios against the plain model; the books are verified after every step (guarantees §2)."""

from datetime import timedelta
from random import Random

import pytest

from contract.model import Model
from contract.scenario import ACME, ANN, BOB, Clock, a_hold, day_of_ann, key_of_ann, order, outcome, top_up
from tollway.billing.ledger import BudgetRef, Hold, HoldOrder, HoldPolicy, HoldRefused
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database
from tollway.storage.sql.funds import RequestSettledError, SqlFunds

STEPS = 300
DAY, KEY = day_of_ann(2_000), key_of_ann(1_500)
PAYERS: tuple[tuple[BudgetRef, ...], ...] = ((ANN,), (ANN, KEY), (BOB,), (ACME, DAY), (ACME, DAY, KEY))
ALL = (ANN, BOB, ACME, DAY, KEY)


class Simulation:
    def __init__(self, seed: int, database: Database) -> None:
        self.dice = Random(seed)
        self.database, self.clock, self.model = database, Clock(), Model()
        self.funds = SqlFunds(database, self.clock)
        self.orders: dict[str, tuple[HoldOrder, Hold]] = {}  # every one that was admitted, ended or not
        self.step = 0

    async def run(self) -> None:
        actions = (self.hold, self.hold, self.hold, self.close, self.close, self.release, self.pass_time, self.top_up)
        for self.step in range(STEPS):
            await self.dice.choice(actions)()
            await self.compare()

    async def top_up(self) -> None:
        account, amount = self.dice.choice((ANN, BOB, ACME)), self.dice.randint(1, 400)
        await top_up(self.database, account, amount, f"t{self.step}")
        self.model.top_up(account, amount)

    async def hold(self) -> None:
        again = self.orders and self.dice.random() < 0.2
        asked = self.dice.choice(list(self.orders.values()))[0] if again else self._new_order()
        if asked.request_id in self.model.charged:
            with pytest.raises(RequestSettledError):
                await self.funds.hold(asked)
            return
        answer, amount = await self.funds.hold(asked), self.model.hold(asked)
        if amount is None:
            assert isinstance(answer, HoldRefused)
        else:
            assert answer == a_hold(asked.request_id, amount, *asked.budgets)
            self.orders[asked.request_id] = (asked, answer)

    async def close(self) -> None:
        if not self.orders:
            return
        asked, hold = self.dice.choice(list(self.orders.values()))
        charge = self.dice.choice((0, hold.amount, self.dice.randint(0, hold.amount + 50)))
        receipt = await self.funds.close(outcome(hold, charge, self.dice.choice((0, 0, 9))))
        assert (receipt.charge, receipt.repeated) == self.model.close(asked, charge)

    async def release(self) -> None:
        if self.orders:
            asked, hold = self.dice.choice(list(self.orders.values()))
            await self.funds.release(hold)
            self.model.release(asked)

    async def pass_time(self) -> None:
        self.clock.advance(minutes=self.dice.randint(0, 20))
        assert await self.funds.expire_holds() == self.model.expire(self.clock.now)

    async def compare(self) -> None:
        assert await verify_books(self.database) == [], self.step
        for ref in ALL:
            assert await self.funds.balance(ref) == self.model.left(ref), (self.step, ref)

    def _new_order(self) -> HoldOrder:
        ends = self.clock.now + timedelta(minutes=self.dice.randint(1, 35))
        refs, policy = self.dice.choice(PAYERS), self.dice.choice(list(HoldPolicy))
        worst_case = self.dice.choice((0, 1, self.dice.randint(1, 500)))
        return order(f"r{self.step}", worst_case, *refs, policy=policy, expires_at=ends)


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_steps_agree_with_the_model(database: Database, seed: int) -> None:
    await Simulation(seed, database).run()
