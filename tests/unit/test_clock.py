"""UTC that nobody can move, and what it takes to set it right."""

from datetime import UTC
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway import clock
from tollway.clock import MOVED_S, SteadyClock

NS = 1_000_000_000
START = 1_700_000_000 * NS
DAY = 86_400


class Machine:
    """A wall clock and the time since a start, both moved by hand, in seconds."""

    def __init__(self) -> None:
        self.wall, self.elapsed = START, 17 * NS
        self.steady = SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def passes(self, seconds: float, step: float = 0) -> None:
        """Time passes, and somebody moves the wall clock by `step`."""
        self.elapsed += round(seconds * NS)
        self.wall += round((seconds + step) * NS)

    @property
    def shown(self) -> float:
        return (self.steady.now_ns() - START) / NS


def test_instants_are_aware_and_agree() -> None:
    before = clock.unix_milliseconds()
    now = clock.utc_now()
    assert now.tzinfo is UTC
    assert before <= now.timestamp() * 1_000 + 1
    assert clock.unix_seconds() - before // 1_000 in (0, 1)


def test_nothing_is_moved_by_the_time_it_takes_to_look() -> None:
    """Each look at a clock is later than the one before."""
    ticks = iter(range(1_000))
    steady = SteadyClock(lambda: START + next(ticks), lambda: next(ticks))
    assert [steady.moved_s for _ in range(5) if steady.now_ns()] == [0] * 5


def test_ages_never_shrink() -> None:
    times = [clock.monotonic() for _ in range(100)]
    assert times == sorted(times)


@pytest.mark.parametrize("step", [DAY, -DAY, 3_600, -MOVED_S, MOVED_S])
def test_a_step_is_not_followed_and_time_goes_on(step: float) -> None:
    machine = Machine()
    machine.passes(10, step)
    assert (machine.shown, machine.steady.moved_s) == (10, step)
    machine.passes(5)
    assert machine.shown == 15


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(-MOVED_S + 0.01, MOVED_S - 0.01)), max_size=30))
def test_what_is_slewed_is_followed_however_much_it_adds_up_to(moves: list[tuple[float, float]]) -> None:
    machine = Machine()
    for passed, (seconds, slewed) in zip(accumulate(sum(one) for one in moves), moves, strict=True):
        machine.passes(seconds, slewed)
        assert machine.shown == pytest.approx(passed, abs=1e-6)
        assert machine.steady.moved_s == 0


@given(st.lists(st.tuples(st.floats(0, 3_600), st.sampled_from([DAY, -DAY, 7.5, -3_600.0])), max_size=30))
def test_steps_forth_and_back_move_nothing(moves: list[tuple[float, float]]) -> None:
    machine = Machine()
    for seconds, step in moves:
        machine.passes(seconds, step)
        machine.steady.now_ns()
        machine.passes(0, -step)
    assert machine.shown == pytest.approx(sum(one for one, _ in moves), abs=1e-6)


def test_moved_back_it_is_followed_again() -> None:
    machine = Machine()
    machine.passes(1, DAY)
    assert machine.shown == 1
    machine.passes(1, -DAY)
    machine.passes(1, 2)
    assert (machine.shown, machine.steady.moved_s) == (5, 0)


def test_a_wall_clock_that_was_corrected_is_followed_once_that_is_known() -> None:
    machine = Machine()
    machine.passes(10, DAY)
    machine.steady.follow_the_wall()
    machine.passes(10, 1)
    assert (machine.shown, machine.steady.moved_s) == (DAY + 21, 0)


def test_another_clock_knows_better_than_the_wall() -> None:
    machine = Machine()
    machine.steady.set_to(START + 3_600 * NS)
    machine.passes(10)
    assert (machine.shown, machine.steady.moved_s) == (3_610, -3_600)
    machine.passes(0, 3_600)
    assert machine.steady.moved_s == 0
