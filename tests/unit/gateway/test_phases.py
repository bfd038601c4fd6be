import asyncio
from datetime import timedelta

import pytest

from tollway.billing.store import StoreUnavailableError
from tollway.gateway.phases import FORGOTTEN_AT_ONCE, KEPT, UNWRITTEN_MAX, PhaseMemory
from unit.gateway.fakes import NOW, FakePhases


def memory(phases: FakePhases) -> PhaseMemory:
    return PhaseMemory(phases, lambda: NOW)


def test_what_was_noted_is_found_before_it_is_stored() -> None:
    async def scenario() -> None:
        phases = FakePhases(old="commentary")
        one = memory(phases)
        one.note({"new": "final_answer"})
        assert await one.find(["old", "new", "never"]) == {"old": "commentary", "new": "final_answer"}
        assert phases.asked == [["old", "never"]]
        assert phases.known == {"old": "commentary"}
        await one.write()
        assert phases.known == {"old": "commentary", "new": "final_answer"}
        await one.find(["new"])
        assert phases.asked[-1] == ["new"]  # it is not kept twice

    asyncio.run(scenario())


def test_the_first_phase_of_a_message_stays() -> None:
    async def scenario() -> None:
        one = memory(FakePhases())
        one.note({"a": "commentary"})
        one.note({"a": "final_answer"})
        assert await one.find(["a"]) == {"a": "commentary"}

    asyncio.run(scenario())


def test_a_database_that_is_away_takes_only_the_phases() -> None:
    async def scenario() -> None:
        phases = FakePhases(old="commentary")
        one = memory(phases)
        phases.failing = True
        one.note({"new": "final_answer"})
        assert await one.find(["old", "new"]) == {"new": "final_answer"}
        with pytest.raises(StoreUnavailableError):
            await one.write()
        phases.failing = False
        await one.write()
        assert phases.known["new"] == "final_answer"

    asyncio.run(scenario())


def test_memory_is_bounded() -> None:
    async def scenario() -> None:
        one = memory(FakePhases())
        one.note({str(number): "x" for number in range(UNWRITTEN_MAX)})
        one.note({"more": "x"})
        assert await one.find(["more"]) == {}

    asyncio.run(scenario())


def test_old_ones_are_forgotten_in_portions() -> None:
    left = [FORGOTTEN_AT_ONCE, FORGOTTEN_AT_ONCE, 3]

    class Full(FakePhases):
        async def forget(self, before: object, rows_max: int) -> int:
            assert (before, rows_max) == (NOW - KEPT, FORGOTTEN_AT_ONCE)
            return left.pop(0)

    asyncio.run(memory(Full()).forget_old())
    assert left == []
    assert timedelta(days=30) == KEPT


def test_its_jobs() -> None:
    one = memory(FakePhases())
    assert [(name, job) for _, name, job in one.jobs] == [("phases", one.write), ("old_phases", one.forget_old)]
