import asyncio

import pytest
from structlog.testing import capture_logs

from tollway.billing.ledger import Outcome
from tollway.billing.store import StoreUnavailableError
from tollway.gateway.settlement import BATCH_MAX
from unit.billing.outcomes import USER, order_of, outcome_of
from unit.gateway.fake_money import AFTER, BEFORE, FakeBooks
from unit.gateway.worker import Worker, turns

CHARGE = 3


async def ended(count: int) -> tuple[Worker, list[Outcome]]:
    """A worker with so many ended requests, each of which held 10 and used 3."""
    worker = Worker(FakeBooks({USER.id: 1_000_000}))
    outcomes = [outcome_of(await worker.held(order_of(f"r{number}", 10)), CHARGE) for number in range(count)]
    for outcome in outcomes:
        await worker.funds.close(outcome)
    return worker, outcomes


def ids(outcomes: list[Outcome]) -> list[str]:
    return [outcome.hold.request_id for outcome in outcomes]


def assert_settled(worker: Worker, outcomes: list[Outcome]) -> None:
    """Once each, and nobody waits any more: the books have leased what the slices know of."""
    assert list(worker.books.settled.values()) == outcomes
    assert worker.books.spent[USER.id] == CHARGE * len(outcomes)
    assert worker.journal.of("acknowledge") == ids(outcomes)
    assert (len(worker.settlement), worker.slices.used) == (0, 0)
    assert worker.books.leased(USER.id) == worker.slices.free


def test_they_are_settled_in_batches_and_in_order() -> None:
    async def scenario() -> None:
        worker, outcomes = await ended(2 * BATCH_MAX + 1)
        await worker.settlement.settle()
        assert [len(batch) for batch in worker.books.batches] == [BATCH_MAX, BATCH_MAX, 1]
        assert_settled(worker, outcomes)
        await worker.settlement.settle()
        assert worker.books.count("settle") == 3  # nothing to say

    asyncio.run(scenario())


@pytest.mark.parametrize("goes", [BEFORE, AFTER])
def test_while_the_books_are_away_nothing_is_lost(goes: str) -> None:
    async def scenario() -> None:
        worker, outcomes = await ended(BATCH_MAX + 5)
        calls = iter(["", goes, goes])
        worker.books.fails = lambda _: next(calls, "")
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await worker.settlement.settle()
            assert len(worker.settlement) == 5
            assert len(worker.journal.of("acknowledge")) == BATCH_MAX
        await worker.settlement.settle()
        assert_settled(worker, outcomes)

    asyncio.run(scenario())


def test_nothing_is_acknowledged_before_it_is_in_the_books() -> None:
    async def scenario() -> None:
        worker, outcomes = await ended(2)
        worker.books.held_up = {"settle"}
        settling = asyncio.create_task(worker.settlement.settle())
        await turns()
        assert (worker.journal.of("acknowledge"), worker.slices.used) == ([], 2 * CHARGE)
        worker.books.held_up.clear()
        await settling
        assert_settled(worker, outcomes)

    asyncio.run(scenario())


def test_those_that_end_meanwhile_come_next() -> None:
    async def scenario() -> None:
        worker, outcomes = await ended(2)
        worker.books.held_up = {"settle"}
        settling = asyncio.create_task(worker.settlement.settle())
        await turns()
        late = outcome_of(await worker.held(order_of("late", 10)), CHARGE)
        await worker.funds.close(late)
        worker.books.held_up.clear()
        await settling
        assert worker.books.batches == [ids(outcomes), ["late"]]
        assert_settled(worker, [*outcomes, late])

    asyncio.run(scenario())


def test_one_who_is_stopped_while_settling_loses_nothing() -> None:
    async def scenario() -> None:
        worker, outcomes = await ended(2)
        worker.books.held_up = {"settle"}
        settling = asyncio.create_task(worker.settlement.settle())
        await turns()
        settling.cancel()
        worker.books.held_up.clear()
        await turns()
        await worker.settlement.settle()
        assert_settled(worker, outcomes)

    asyncio.run(scenario())


def test_one_that_cannot_be_settled_keeps_nobody_waiting() -> None:
    async def scenario() -> None:
        worker, outcomes = await ended(5)
        worker.books.poison = {"r2"}
        with capture_logs() as lines:
            await worker.settlement.settle()
        assert list(worker.books.settled) == ["r0", "r1", "r3", "r4"]
        assert worker.journal.of("acknowledge") == ["r0", "r1", "r3", "r4"]  # it stays in the journal
        assert worker.settlement.set_aside == [outcomes[2]]
        assert (len(worker.settlement), worker.slices.used) == (0, CHARGE)
        assert [(line["event"], line["request_id"]) for line in lines] == [("settlement_refused", "r2")]

    asyncio.run(scenario())


@pytest.mark.parametrize("goes", [BEFORE, AFTER])
@pytest.mark.parametrize("place", range(1, 6))
def test_nor_when_the_books_go_away_in_the_middle(place: int, goes: str) -> None:
    """The batch is refused, then each is settled alone, and one of these calls fails: nothing is counted twice."""

    async def scenario() -> None:
        worker, outcomes = await ended(5)
        worker.books.poison = {"r2"}
        calls = iter([""] * place + [goes])
        worker.books.fails = lambda _: next(calls, "")
        with capture_logs() as lines:
            with pytest.raises(StoreUnavailableError):
                await worker.settlement.settle()
            await worker.settlement.settle()
        assert sorted(worker.journal.of("acknowledge")) == ["r0", "r1", "r3", "r4"]
        assert (worker.settlement.set_aside, len(worker.settlement)) == ([outcomes[2]], 0)
        assert [line["request_id"] for line in lines] == ["r2"]
        assert (worker.slices.used, worker.books.spent[USER.id]) == (CHARGE, 4 * CHARGE)
        assert worker.books.leased(USER.id) == worker.slices.free + CHARGE

    asyncio.run(scenario())


def test_how_much_waits_and_for_how_long() -> None:
    async def scenario() -> None:
        worker, _ = await ended(2)
        settlement = worker.settlement
        worker.clock.now += 7
        settlement.add(outcome_of(await worker.held(order_of("late", 10)), 1))
        assert (len(settlement), settlement.amount, settlement.lag_s) == (3, 2 * CHARGE + 1, 7)
        await settlement.settle()
        assert (len(settlement), settlement.amount, settlement.lag_s) == (0, 0, 0)

    asyncio.run(scenario())
