"""The money side of one worker, put together over fakes."""

import asyncio
from collections.abc import Awaitable, Callable

from tollway.billing.ledger import Hold, HoldOrder, HoldRefused
from tollway.billing.slices import Slices
from tollway.gateway.funds import Funds
from tollway.gateway.settlement import Settlement
from unit.gateway.fake_money import FakeBooks, FakeJournal
from unit.gateway.fakes import Clock, settled


class Worker:
    """Funds with what they stand on. Where they sleep, the clock moves on and `while_asleep` happens."""

    def __init__(
        self, books: FakeBooks, id_: str = "a", journal: FakeJournal | None = None, clock: Clock | None = None
    ) -> None:
        self.id = id_
        self.books = books
        self.clock = clock or Clock()
        self.journal = journal or FakeJournal()
        self.slices = Slices()
        self.settlement = Settlement(id_, books, self.journal, self.slices, self.clock)
        self.funds = Funds(id_, books, self.journal, self.slices, self.settlement, self.clock, self._sleep)
        self.slept: list[float] = []
        self.while_asleep: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
        books.workers.append(id_)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.clock.now + seconds
        await self.while_asleep()
        self.clock.now = max(self.clock.now, until)

    async def hold(self, order: HoldOrder) -> Hold | HoldRefused:
        answer = await settled(self.funds.hold(order))
        assert isinstance(answer, Hold | HoldRefused)
        return answer

    async def held(self, order: HoldOrder) -> Hold:
        """A hold that must be had."""
        answer = await self.hold(order)
        assert isinstance(answer, Hold), answer
        return answer

    @property
    def totals(self) -> tuple[int, int, int]:
        """Free, held, used."""
        return self.slices.free, self.slices.held, self.slices.used


async def turns(count: int = 10) -> None:
    """Let everything that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)
