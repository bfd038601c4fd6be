"""Rows of `free_model_usage`: stored when the wait is over, many in one transaction, each once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from contract.commit_fault import CommitFault
from contract.scenario import START
from tollway.billing.store import StoreUnavailableError
from tollway.limits.store import FreeUse
from tollway.storage.sql.database import RETRIES_MAX, Database
from tollway.storage.sql.free_use import WAITING_MAX, SqlFreeUse
from tollway.storage.sql.tables import free_model_usage


def use(number: int, user: str | None = "ann") -> FreeUse:
    return FreeUse(f"r{number}", "a-hash", "corethink:free", user, START)


async def stored(database: Database) -> list[FreeUse]:
    columns = free_model_usage.c
    query = select(columns.id, columns.address_hash, columns.model, columns.user_id, columns.created_at)
    rows = await database.read(lambda connection: connection.execute(query.order_by(columns.id)).all())
    return [FreeUse(*row) for row in rows]


class Gate:
    """A database whose transactions wait until it is opened; counts them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.open = asyncio.Event()
        self.writes = 0
        self.failure: StoreUnavailableError | None = None
        self.before_it_ends: Callable[[], object] = lambda: None

    async def write(self, work: Callable[[Connection], Any]) -> Any:
        self.writes += 1
        await self.open.wait()
        if self.failure:
            raise self.failure
        result = await self.database.write(work)
        asyncio.get_running_loop().call_soon(self.before_it_ends)
        return result


async def started(*work: Any) -> list[asyncio.Task[None]]:
    """Tasks that have come as far as they can."""
    tasks = [asyncio.get_running_loop().create_task(one) for one in work]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_a_use_is_stored_when_the_wait_is_over(database: Database) -> None:
    log = SqlFreeUse(database)
    await log.add(use(1))
    await log.add(use(2, user=None))
    assert await stored(database) == [use(1), use(2, user=None)]


async def test_those_who_come_meanwhile_share_the_next_transaction(database: Database) -> None:
    gate = Gate(database)
    log = SqlFreeUse(gate)
    tasks = await started(*(log.add(use(number)) for number in range(100)))
    assert gate.writes == 1
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.writes == 2
    assert len(await stored(database)) == 100
    await log.add(use(100))
    assert gate.writes == 3


@pytest.mark.parametrize("times", [1, RETRIES_MAX])
@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_stores_it_once(database: Database, times: int, committed: bool) -> None:
    with CommitFault(database, times, committed=committed):
        await SqlFreeUse(database).add(use(1))
    assert await stored(database) == [use(1)]


async def test_all_of_a_failed_transaction_hear_of_it_and_the_next_is_tried(database: Database) -> None:
    gate = Gate(database)
    gate.failure = StoreUnavailableError("gone")
    log = SqlFreeUse(gate)
    tasks = await started(*(log.add(use(number)) for number in range(5)))
    gate.open.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailableError] * 5
    gate.failure = None
    await log.add(use(9))
    assert await stored(database) == [use(9)]


@pytest.mark.parametrize("who", [0, 1, 2])
async def test_one_who_is_cancelled_keeps_nobody_waiting(database: Database, who: int) -> None:
    """The one who writes, the one whose turn it would be, or another."""
    gate = Gate(database)
    log = SqlFreeUse(gate)
    tasks = await started(*(log.add(use(number)) for number in range(4)))
    tasks[who].cancel()
    gate.open.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[who], asyncio.CancelledError)
    assert [answer for number, answer in enumerate(answers) if number != who] == [None] * 3
    await log.add(use(9))
    assert {one.request_id for one in await stored(database)} >= {"r3", "r9"}


async def test_one_who_is_cancelled_as_its_turn_comes_passes_it_on(database: Database) -> None:
    gate = Gate(database)
    log = SqlFreeUse(gate)
    tasks = await started(*(log.add(use(number)) for number in range(3)))
    gate.before_it_ends = tasks[1].cancel
    gate.open.set()
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert answers[2] is None
    await asyncio.wait_for(log.add(use(9)), 30)


async def test_no_more_wait_than_may(database: Database) -> None:
    gate = Gate(database)
    log = SqlFreeUse(gate)
    tasks = await started(*(log.add(use(number)) for number in range(WAITING_MAX + 1)))
    with pytest.raises(StoreUnavailableError):
        await log.add(use(-1))
    gate.open.set()
    await asyncio.gather(*tasks)
    assert len(await stored(database)) == WAITING_MAX + 1


async def test_a_schema_that_is_not_ours_is_no_bug_of_the_request(database: Database) -> None:
    await database.write(lambda connection: connection.execute(text("DROP TABLE free_model_usage")))
    with pytest.raises(StoreUnavailableError):
        await SqlFreeUse(database).add(use(1))
