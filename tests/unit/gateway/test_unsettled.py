import asyncio

import pytest

from tollway.billing.ledger import Hold
from tollway.gateway.unsettled import Unsettled
from unit.gateway.closers.test_settle_funds import outcome
from unit.gateway.fakes import HOLD, FakeFunds


def ends() -> list[str]:
    return ["first", "second", "third"]


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_everything_is_settled_once_the_database_is_back(waits: bool) -> None:
    heard: list[int] = []
    funds = FakeFunds(waits)
    unsettled = Unsettled(funds, heard.append)
    funds.away = True
    unsettled.add(outcome("first"))
    unsettled.add(HOLD)
    unsettled.add(outcome("third"))
    asyncio.run(unsettled.settle())
    assert (len(unsettled), len(funds.closed)) == (3, 0)
    funds.away = False
    asyncio.run(unsettled.settle())
    assert [one.hold.request_id for one in funds.closed] == ["first", "third"]
    assert funds.released == [HOLD]
    assert len(unsettled) == 0
    assert heard[-1] == 0


def test_the_oldest_stays_the_oldest() -> None:
    funds = FakeFunds()
    unsettled = Unsettled(funds, lambda _: None)
    for name in ends():
        unsettled.add(outcome(name))
    funds.away = True
    for _ in range(5):
        asyncio.run(unsettled.settle())
    funds.away = False
    asyncio.run(unsettled.settle())
    assert [one.hold.request_id for one in funds.closed] == ends()


def test_a_repeat_charges_nothing_again() -> None:
    funds = FakeFunds()
    unsettled = Unsettled(funds, lambda _: None)
    for _ in range(3):
        unsettled.add(outcome("first"))
    asyncio.run(unsettled.settle())
    assert len(funds.closed) == 1
    assert len(unsettled) == 0


def test_one_with_a_bug_keeps_no_other_waiting_and_is_not_lost() -> None:
    funds = FakeFunds()
    funds.broken = "first"
    unsettled = Unsettled(funds, lambda _: None)
    for name in ends():
        unsettled.add(outcome(name))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(unsettled.settle())
    with pytest.raises(ZeroDivisionError):
        asyncio.run(unsettled.settle())
    assert [one.hold.request_id for one in funds.closed] == ends()[1:]
    funds.broken = ""
    asyncio.run(unsettled.settle())
    assert [one.hold.request_id for one in funds.closed] == [*ends()[1:], "first"]
    assert len(unsettled) == 0


def test_cancelled_in_the_middle_it_loses_nothing() -> None:
    class Slow(FakeFunds):
        def release(self, hold: Hold) -> asyncio.Future[None]:
            asked.set()
            return asyncio.get_running_loop().create_future()

    async def scenario() -> None:
        task = asyncio.ensure_future(unsettled.settle())
        await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asked = asyncio.Event()
    unsettled = Unsettled(Slow(), lambda _: None)
    unsettled.add(HOLD)
    asyncio.run(scenario())
    assert len(unsettled) == 1
