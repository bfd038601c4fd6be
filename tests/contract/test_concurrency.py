"""Many tasks and many processes at the same money (guarantees M1, M2, I4, I5)."""

import asyncio
from collections.abc import Callable

import pytest

from contract.processes import run_together
from contract.scenario import ACME, ANN, START, Clock, day_of_ann, key_of_ann, order, outcome, top_up
from tollway.billing.ledger import Hold
from tollway.storage.sql.database import Database
from tollway.storage.sql.funds import SqlFunds

pool_sizes = pytest.mark.parametrize("pool_size", [1, 10])


async def test_one_request_settled_by_twenty_tasks_is_charged_once(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    receipts = await asyncio.gather(*(funds.close(outcome(hold, 150)) for _ in range(20)))
    assert sum(not receipt.repeated for receipt in receipts) == 1
    assert {(receipt.charge, receipt.balance) for receipt in receipts} == {(150, 850)}


def test_one_request_settled_by_three_processes_is_charged_once(connect: Callable[..., Database], url: str) -> None:
    async def before() -> None:
        await top_up(database, ANN, 1000)
        await SqlFunds(database, Clock()).hold(order("r1", 400))

    database = connect()
    asyncio.run(before())
    answers = run_together(url, "settle", 3, 17, 20, 5)  # 1,020 times
    assert sum(answer["first"] for answer in answers) == 1
    assert asyncio.run(SqlFunds(database).balance(ANN)) == 850


@pool_sizes
async def test_a_balance_for_three_admits_three_of_two_hundred(
    connect: Callable[..., Database], pool_size: int
) -> None:
    database = connect(pool_size)
    await top_up(database, ANN, 300)
    funds = SqlFunds(database, Clock())
    answers = await asyncio.gather(*(funds.hold(order(f"r{number}", 100)) for number in range(200)))
    assert sum(isinstance(answer, Hold) for answer in answers) == 3
    assert await funds.balance(ANN) == 0


@pool_sizes
def test_a_balance_for_three_admits_three_from_two_processes(
    connect: Callable[..., Database], url: str, pool_size: int
) -> None:
    database = connect()
    asyncio.run(top_up(database, ANN, 300))
    answers = run_together(url, "hold", 2, 1, 100, pool_size)
    assert sum(answer["admitted"] for answer in answers) == 3


@pool_sizes
async def test_budgets_locked_in_any_order_never_block_each_other(
    connect: Callable[..., Database], pool_size: int
) -> None:
    """Rows that do not exist yet, orders that name them in every order, expiry in between."""
    database, clock = connect(pool_size), Clock()
    funds = SqlFunds(database, clock)
    await top_up(database, ACME, 10_000)
    refs = (ACME, day_of_ann(None), key_of_ann(None))

    async def one(number: int) -> None:
        turned = refs[number % 3 :] + refs[: number % 3]
        hold = await funds.hold(order(f"r{number}", 10, *turned, expires_at=START))
        assert isinstance(hold, Hold)
        if number % 4 == 0:
            await funds.expire_holds()
        elif number % 4 == 1:
            await funds.release(hold)
        elif turned[0] == ACME:
            await funds.close(outcome(hold, 7))

    await asyncio.gather(*(one(number) for number in range(60)))
    await funds.expire_holds()
    charged = sum(number % 3 == 0 and number % 4 in (2, 3) for number in range(60))
    assert await funds.balance(ACME) == 10_000 - 7 * charged


@pool_sizes
async def test_a_cancelled_caller_leaves_whole_transactions(connect: Callable[..., Database], pool_size: int) -> None:
    """Cancelled at any moment: the hold is there entirely or not at all, and nobody gets another's answer."""
    database = connect(pool_size)
    funds = SqlFunds(database, Clock())
    await top_up(database, ANN, 1_000_000)

    async def one(number: int) -> None:
        answer = await funds.hold(order(f"r{number}", number + 1))
        assert isinstance(answer, Hold)
        assert (answer.request_id, answer.amount) == (f"r{number}", number + 1)

    for turns in range(30):
        tasks = [asyncio.create_task(one(turns * 4 + number)) for number in range(4)]
        for _ in range(turns % 7):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in ended)
        assert ended[1] is ended[3] is None
