"""What is decided where, while the shared windows can be reached and while they cannot."""

import asyncio
from typing import Any

import pytest

from tollway.catalog.preset import FreeLimits
from tollway.limits import fallback
from tollway.limits.fallback import PAUSE_S, SAY_AGAIN_S, FallbackWindows
from tollway.limits.rules import rules_of
from tollway.limits.store import Full, WindowsUnavailableError
from tollway.storage.memory.windows import MemoryWindows

SHARED, OWN = rules_of(FreeLimits(hosted_count=6)), rules_of(FreeLimits(hosted_count=6), 3)


class Away(MemoryWindows):
    """As `is_away` it fails, after it has done what was asked if `too_late`; as `is_slow` others come first."""

    is_away = False
    too_late = False
    is_slow = False
    asked = 0

    async def reserve(self, key: str, request_id: str) -> Full | None:
        return await self._answer(super().reserve(key, request_id))

    async def check(self, key: str) -> Full | None:
        return await self._answer(super().check(key))

    async def commit(self, key: str, request_id: str, is_anonymous: bool) -> Full | None:
        return await self._answer(super().commit(key, request_id, is_anonymous))

    async def release(self, key: str, request_id: str) -> None:
        await self._answer(super().release(key, request_id))

    async def _answer(self, work: Any) -> Any:
        self.asked += 1
        if self.is_slow:
            await asyncio.sleep(0)
        if not self.is_away:
            return await work
        if self.too_late:
            await work
        work.close()
        raise WindowsUnavailableError("TimeoutError")


class Both:
    """Shared and own windows, the clock they share, and what was counted and logged."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.counted = 0
        self.shared = Away(SHARED, 10, self.milliseconds)
        self.own = MemoryWindows(OWN, 10, self.milliseconds)
        self.windows = FallbackWindows(self.shared, self.own, lambda: self.seconds, self.count)

    def milliseconds(self) -> int:
        return int(self.seconds * 1_000)

    def count(self) -> None:
        self.counted += 1

    def reserve(self, *names: str) -> list[bool]:
        return [asyncio.run(self.windows.reserve("k", name)) is None for name in names]

    def commit(self, name: str, anonymous: bool = False) -> bool:
        return asyncio.run(self.windows.commit("k", name, anonymous)) is None


@pytest.fixture
def both() -> Both:
    return Both()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    class Log:
        def warning(self, event: str, **_: object) -> None:
            lines.append(event)

    monkeypatch.setattr(fallback, "_log", Log())
    return lines


def test_the_shared_windows_decide_while_they_can(both: Both) -> None:
    assert both.reserve(*"abcdefg") == [True] * 6 + [False]
    assert both.commit("a")
    asyncio.run(both.windows.release("k", "b"))
    assert both.reserve("h") == [True]
    assert asyncio.run(both.windows.check("k")) is None
    assert (len(both.own), both.counted) == (0, 0)


def test_in_an_outage_the_own_ones_give_away_their_part(both: Both, said: list[str]) -> None:
    both.shared.is_away = True
    assert both.reserve(*"abc") == [True, True, False]
    assert (both.counted, said) == (3, ["shared_windows_unavailable"])


def test_an_outage_costs_one_question_a_second_and_one_line_a_minute(both: Both, said: list[str]) -> None:
    both.shared.is_away = True
    for _ in range(int(3 * SAY_AGAIN_S / PAUSE_S)):
        for _ in range(5):
            asyncio.run(both.windows.check("k"))
        both.seconds += PAUSE_S
    assert both.shared.asked == 3 * SAY_AGAIN_S / PAUSE_S
    assert len(said) == 3


def test_one_alone_finds_out_whether_they_are_back(both: Both, said: list[str]) -> None:
    both.shared.is_away = True
    both.reserve("a")
    both.seconds += PAUSE_S

    async def all_at_once() -> None:
        both.shared.is_slow = True
        await asyncio.gather(*(both.windows.check("k") for _ in range(5)))

    asyncio.run(all_at_once())
    assert both.shared.asked == 2


def test_they_are_back_with_the_first_answer(both: Both, said: list[str]) -> None:
    both.shared.is_away = True
    both.reserve("a")
    both.shared.is_away = False
    assert both.reserve("b") == [True]
    assert both.own.holds("k", "b")  # the second is not over
    both.seconds += PAUSE_S
    assert both.reserve(*"cdefgh") == [True] * 6
    assert both.counted == 2


def test_a_place_stays_where_it_was_taken(both: Both, said: list[str]) -> None:
    both.shared.is_away = True
    both.reserve("a", "b")
    both.shared.is_away = False
    both.seconds += PAUSE_S
    assert both.commit("a")
    asyncio.run(both.windows.release("k", "b"))
    assert both.shared.asked == 1
    both.shared.is_away = True
    both.seconds += PAUSE_S
    assert both.reserve("c", "d") == [True, False]  # a is an entry of the own ones, b has gone


def test_what_was_reserved_before_an_outage_counts_here(both: Both, said: list[str]) -> None:
    both.reserve("a")
    both.shared.is_away = True
    assert both.commit("a", anonymous=True)
    assert both.reserve("b", "c") == [True, False]
    asyncio.run(both.windows.release("k", "gone"))


def test_an_answer_that_came_too_late_refuses_nobody(both: Both, said: list[str]) -> None:
    """What it did in the shared windows ends by itself."""
    both.shared.is_away = both.shared.too_late = True
    assert both.reserve("a") == [True]
    both.shared.is_away = False
    both.seconds += 61
    assert both.reserve(*"bcdefgh") == [True] * 6 + [False]
