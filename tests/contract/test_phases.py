"""Phases of messages: the first one stays, old ones go in bounded portions."""

from datetime import timedelta

import pytest

from contract.commit_fault import CommitFault
from contract.scenario import START, Clock
from tollway.storage.sql.database import Database
from tollway.storage.sql.phases import SqlPhases


@pytest.fixture
def phases(database: Database, clock: Clock) -> SqlPhases:
    return SqlPhases(database, clock)


async def test_those_that_are_known_are_found(phases: SqlPhases) -> None:
    await phases.remember({"a": "commentary", "b": "final_answer"})
    assert await phases.find(["b", "a", "c", "a"]) == {"a": "commentary", "b": "final_answer"}
    assert await phases.find(["c"]) == {}


async def test_the_first_phase_of_a_key_stays(phases: SqlPhases) -> None:
    await phases.remember({"a": "commentary"})
    await phases.remember({"b": "commentary", "a": "final_answer"})
    assert await phases.find(["a", "b"]) == {"a": "commentary", "b": "commentary"}


async def test_for_nothing_the_database_is_left_alone() -> None:
    phases = SqlPhases(object())
    assert await phases.find([]) == {}
    await phases.remember({})


async def test_many_keys_are_one_question(phases: SqlPhases) -> None:
    """More than a conversation may have messages."""
    many = {f"key {number}": "commentary" for number in range(10_000)}
    await phases.remember(many)
    assert await phases.find(many.keys()) == many


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_changes_nothing(phases: SqlPhases, database: Database, committed: bool) -> None:
    with CommitFault(database, 1, committed=committed):
        await phases.remember({"a": "commentary"})
    assert await phases.find(["a"]) == {"a": "commentary"}


async def test_old_ones_go_oldest_first_and_never_more_than_asked(phases: SqlPhases, clock: Clock) -> None:
    for number in range(5):
        await phases.remember({f"{number}": "commentary"})
        clock.now += timedelta(days=1)
    before = START + timedelta(days=3)  # 3 and 4 are not older
    assert await phases.forget(before, 2) == 2
    assert set(await phases.find("01234")) == {"2", "3", "4"}
    assert await phases.forget(before, 2) == 1
    assert await phases.forget(before, 2) == 0
    assert set(await phases.find("01234")) == {"3", "4"}
