"""Many tasks and many processes at the same money (guarantees M1, M2, I4, I5)."""

import asyncio
from collections.abc import Callable

import pytest

from contract.processes import run_together
from contract.scenario import ACME, ANN, Clock, a_hold, day_of_ann, key_of_ann, order, outcome, top_up
from tollway.billing.ledger import Correction, HoldRefused
from tollway.billing.store import Leased, WorkerEndedError
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database

pool_sizes = pytest.mark.parametrize("pool_size", [1, 10])


async def test_one_request_settled_by_twenty_tasks_is_charged_once(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    settled = outcome(a_hold("r1", 400), 150)
    answers = await asyncio.gather(*(books.settle("w1", [settled]) for _ in range(20)))
    assert sorted(answers) == [(), *[("r1",)] * 19]
    assert await books.balance(ANN) == 600


def test_one_request_settled_by_three_processes_is_charged_once(connect: Callable[..., Database], url: str) -> None:
    async def before() -> None:
        await top_up(database, ANN, 1000)
        await SqlBooks(database).enlist("w1", "node")
        await SqlBooks(database).lease(order("r1", 400))

    database = connect()
    asyncio.run(before())
    answers = run_together(url, "settle", 3, 17, 20, 5)  # 1,020 times
    assert sum(answer["first"] for answer in answers) == 1
    assert asyncio.run(SqlBooks(database).balance(ANN)) == 600


@pool_sizes
async def test_overlapping_batches_settle_each_request_once(connect: Callable[..., Database], pool_size: int) -> None:
    """Ten batches of ten requests, any two of which share some, in opposite orders, of two accounts."""
    books = await _books(connect(pool_size))
    outcomes = [outcome(a_hold(f"r{n}", 0, *((ANN,), (ACME, day_of_ann(0)))[n % 2]), 1 + n) for n in range(20)]
    batches = [[outcomes[(start + n) % 20] for n in range(10)][:: 1 if start % 4 else -1] for start in range(0, 20, 2)]
    answers = await asyncio.gather(*(books.settle("w1", batch) for batch in batches))
    assert sum(len(answer) for answer in answers) == 100 - 20
    assert await books.balance(ANN) == -sum(1 + n for n in range(0, 20, 2))
    assert await books.balance(ACME) == -sum(1 + n for n in range(1, 20, 2))


@pool_sizes
async def test_a_balance_for_three_admits_three_of_two_hundred(
    connect: Callable[..., Database], pool_size: int
) -> None:
    database = connect(pool_size)
    books = await _books(database)
    await top_up(database, ANN, 300)
    answers = await asyncio.gather(*(books.lease(order(f"r{number}", 100)) for number in range(200)))
    assert answers.count(Leased((100,), (0,))) == 3
    assert answers.count(HoldRefused(ANN, 0)) == 197
    assert await books.balance(ANN) == 0


@pool_sizes
def test_two_processes_admit_what_there_is_and_one_request_more(
    connect: Callable[..., Database], url: str, pool_size: int
) -> None:
    """Three whole requests and one partly covered, whoever comes first; all others are refused."""
    database = connect()
    asyncio.run(top_up(database, ANN, 375))
    answers = run_together(url, "lease apart", 2, 1, 100, pool_size)
    assert sum(answer["whole"] for answer in answers) == 3
    assert sum(answer["partly"] for answer in answers) == 1
    assert asyncio.run(SqlBooks(database).balance(ANN)) == 0
    asyncio.run(_retire(database))


@pool_sizes
def test_slices_of_processes_never_add_up_to_more_than_there_is(
    connect: Callable[..., Database], url: str, pool_size: int
) -> None:
    """Each keeps shares for the next request, and is asked to give them back when the other needs them."""
    database = connect()
    asyncio.run(top_up(database, ANN, 2050))
    answers = run_together(url, "lease", 2, 2, 15, pool_size)
    assert sum(answer["leased"] for answer in answers) == 2050 - asyncio.run(SqlBooks(database).balance(ANN)) <= 2050
    assert sum(answer["whole"] for answer in answers) <= 20
    assert sum(answer["partly"] for answer in answers) <= 1
    asyncio.run(_retire(database))
    assert asyncio.run(SqlBooks(database).balance(ANN)) == 2050


@pool_sizes
async def test_budgets_locked_in_any_order_never_block_each_other(
    connect: Callable[..., Database], pool_size: int
) -> None:
    """Rows that do not exist yet, orders that name them in every order, and everything else that locks, in between."""
    database = connect(pool_size)
    books = await _books(database)
    await top_up(database, ACME, 10_000)
    refs = (ACME, day_of_ann(10_000), key_of_ann(10_000))

    async def one(number: int) -> None:
        worker = f"w{number % 2 + 1}"
        turned = refs[number % 3 :] + refs[: number % 3]
        asked = order(f"r{number}", 10, *turned, worker=worker, sharers=100, last=True)
        answer = await books.lease(asked)
        assert isinstance(answer, Leased)
        free = {ref.id: amount for ref, amount in zip(turned, answer.free, strict=True)}
        if number % 4 == 0:
            await books.report(worker)
        elif number % 4 == 1:
            free = {id_: amount + 10 for id_, amount in free.items()}
        else:
            payer_first = sorted(turned, key=lambda ref: ref != ACME)
            await books.settle(worker, [outcome(a_hold(f"r{number}", 10, *payer_first), 7)])
        await books.give_back(worker, free)

    await asyncio.gather(*(one(number) for number in range(60)))
    await _retire(database)
    charged = sum(number % 4 in (2, 3) for number in range(60))
    assert [await books.balance(ref) for ref in refs] == [10_000 - 7 * charged] * 3


@pool_sizes
async def test_a_request_is_corrected_once(connect: Callable[..., Database], pool_size: int) -> None:
    books = await _books(connect(pool_size))
    await books.settle("w1", [outcome(a_hold("r1", 0, ACME, day_of_ann(0)), 100)])
    done = await asyncio.gather(*(books.correct("r1", Correction(-number, 1)) for number in range(1, 21)))
    assert done.count(True) == 1
    assert await books.balance(ACME) == -100 + 1 + done.index(True)


@pool_sizes
async def test_a_worker_that_is_retired_while_it_leases_keeps_nothing(
    connect: Callable[..., Database], pool_size: int
) -> None:
    """Whatever comes first: its lease is returned, or it gets none."""
    database = connect(pool_size)
    books = await _books(database)
    await top_up(database, ANN, 1_000_000)
    await top_up(database, ACME, 1_000_000)
    for turn in range(20):
        await books.enlist(f"t{turn}", "node")
        asks = [
            books.lease(order(f"r{turn}-{number}", 10, (ANN, ACME)[number % 2], worker=f"t{turn}", sharers=2))
            for number in range(4)
        ]
        asks.insert(turn % 5, books.retire(f"t{turn}"))
        for answer in await asyncio.gather(*asks, return_exceptions=True):
            assert answer is None or isinstance(answer, Leased | WorkerEndedError)
    assert [await books.balance(ref) for ref in (ANN, ACME)] == [1_000_000] * 2


@pool_sizes
async def test_a_cancelled_caller_leaves_whole_transactions(connect: Callable[..., Database], pool_size: int) -> None:
    """Cancelled at any moment: the lease is there entirely or not at all, and nobody gets another's answer."""
    database = connect(pool_size)
    books = await _books(database)
    await top_up(database, ANN, 1_000_000)
    done = []

    async def one(number: int) -> None:
        assert await books.lease(order(f"r{number}", number + 1)) == Leased((number + 1,), (0,))
        done.append(number + 1)

    for turns in range(30):
        tasks = [asyncio.create_task(one(turns * 4 + number)) for number in range(4)]
        for _ in range(turns % 7):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in ended)
        assert ended[1] is ended[3] is None
    assert await books.balance(ANN) <= 1_000_000 - sum(done)


async def _books(database: Database) -> SqlBooks:
    books = SqlBooks(database, Clock())
    await books.enlist("w1", "node")
    await books.enlist("w2", "node")
    return books


async def _retire(database: Database) -> None:
    for worker in ("w1", "w2", "p0", "p1"):
        await SqlBooks(database, Clock()).retire(worker)
