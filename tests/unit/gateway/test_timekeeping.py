"""Who is believed when the wall clock and the time that has passed disagree."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tollway.billing.store import StoreUnavailableError
from tollway.clock import SteadyClock
from tollway.gateway.timekeeping import ANSWER_S_MAX, BELIEVED_AFTER_S, Timekeeper, watch

NS = 1_000_000_000
DAY = 86_400


class Machine:
    """Seconds since a start: of the wall clock, of the database's, and passed."""

    def __init__(self, has_database: bool) -> None:
        self.wall = self.database = self.passed = 0.0
        self.asking_takes_s = 0.0
        self.is_away = False
        self.clock = SteadyClock(lambda: round(self.wall * NS), lambda: round(self.passed * NS))
        self.keeper = Timekeeper(self.clock, lambda: self.passed, self._ask if has_database else None)

    async def _ask(self) -> int:
        if self.is_away:
            raise StoreUnavailableError("gone")
        told = self.database
        self.passes(self.asking_takes_s)
        return round(told * NS)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.database += seconds
        self.passed += seconds

    def look(self) -> list[str]:
        """What was logged; the events' names."""
        with capture_logs() as lines:
            asyncio.run(self.keeper.keep())
        return [line["event"] for line in lines]

    @property
    def now(self) -> float:
        return self.clock.now_ns() / NS


def test_nothing_is_said_while_nothing_is_moved() -> None:
    for machine in (Machine(True), Machine(False)):
        machine.passes(BELIEVED_AFTER_S)
        assert machine.look() == []
        machine.passes(BELIEVED_AFTER_S)
        assert (machine.look(), machine.now) == ([], 2 * BELIEVED_AFTER_S)


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_the_database_is_believed_whatever_the_wall_clock_says(step: float) -> None:
    machine = Machine(True)
    machine.wall += step
    assert machine.look() == ["wall_clock_moved"]
    for _ in range(3):
        machine.passes(BELIEVED_AFTER_S)
        assert machine.look() == []
    assert machine.now == 3 * BELIEVED_AFTER_S


def test_a_wall_clock_set_right_is_followed_at_once() -> None:
    machine = Machine(True)
    machine.database = DAY  # this machine was started with a wrong clock
    assert (machine.look(), machine.now) == (["time_set_by_database", "wall_clock_moved"], DAY)
    machine.wall = machine.database
    assert (machine.look(), machine.now, machine.clock.moved_s) == ([], DAY, 0)


def test_what_the_database_said_long_ago_is_not_the_time() -> None:
    machine = Machine(True)
    machine.asking_takes_s = ANSWER_S_MAX + 4
    assert machine.look() == []
    assert machine.now == machine.wall


def test_without_a_database_that_answers_time_goes_on() -> None:
    machine = Machine(True)
    machine.wall, machine.is_away = DAY, True
    with pytest.raises(StoreUnavailableError):
        machine.look()
    machine.passes(BELIEVED_AFTER_S)
    assert machine.now == BELIEVED_AFTER_S


def test_alone_a_wall_clock_is_believed_that_keeps_what_it_says() -> None:
    machine = Machine(False)
    machine.wall = DAY
    assert (machine.look(), machine.now) == (["wall_clock_moved"], 0)
    machine.passes(BELIEVED_AFTER_S - 1)
    assert (machine.look(), machine.now) == ([], BELIEVED_AFTER_S - 1)
    machine.wall += DAY  # moved again: from here on once more
    assert machine.look() == ["wall_clock_moved"]
    machine.passes(BELIEVED_AFTER_S - 1)
    assert machine.look() == []
    machine.passes(1)
    assert machine.look() == ["wall_clock_believed"]
    assert (machine.now, machine.look()) == (machine.wall, [])


def test_a_worker_that_begins_later_waits_no_longer_than_the_others() -> None:
    """It has the clock of its parent, which has looked as well."""
    parent = Machine(False)
    parent.wall = DAY
    assert watch(parent.clock, parent.passed, may_believe=True) == ("wall_clock_moved", DAY)
    parent.passes(BELIEVED_AFTER_S - 1)
    assert watch(parent.clock, parent.passed, may_believe=True) is None
    parent.keeper = Timekeeper(parent.clock, lambda: parent.passed, None)  # as in a fork
    assert parent.look() == []
    parent.passes(1)
    assert (parent.look(), parent.now) == (["wall_clock_believed"], parent.wall)


def test_what_is_slewed_is_followed_where_nobody_else_asks_for_the_time() -> None:
    machine = Machine(False)
    for _ in range(4):
        machine.passes(60)
        machine.wall += 3
        assert watch(machine.clock, machine.passed, may_believe=True) is None
    assert machine.now == machine.wall


def test_moved_back_in_time_it_never_was_moved() -> None:
    machine = Machine(False)
    machine.wall = DAY
    machine.look()
    machine.wall = 0
    assert machine.look() == []
    machine.passes(BELIEVED_AFTER_S)
    assert (machine.look(), machine.now) == ([], BELIEVED_AFTER_S)
