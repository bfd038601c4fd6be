import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.cli.backoff import FIRST_S, KILLED_PAUSE_S_MAX, PAUSE_S_MAX, SERVED_S_MIN, Backoff

ENDS = st.lists(st.tuples(st.floats(0, 2 * SERVED_S_MIN), st.booleans()), max_size=20)


@pytest.mark.parametrize("served_s", [0, 0.01, SERVED_S_MIN - 0.1])
def test_who_ends_soon_is_waited_for_longer_each_time(served_s: float) -> None:
    backoff = Backoff()
    pauses = [backoff.pause_s(served_s) for _ in range(8)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 10, 10]


def test_who_served_for_a_while_is_replaced_at_once() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.pause_s(0)
    assert [backoff.pause_s(SERVED_S_MIN), backoff.pause_s(0)] == [0.25, 0.5]


def test_who_was_killed_is_missed_for_a_second_at_most() -> None:
    backoff = Backoff()
    assert [backoff.pause_s(0.1, was_killed=True) for _ in range(5)] == [0.25, 0.5, 1, 1, 1]
    assert [backoff.pause_s(0) for _ in range(4)] == [1, 2, 4, 8]
    assert backoff.pause_s(0.1, was_killed=True) == backoff.pause_s(0) == 1  # it had been able to start


def test_no_number_of_failures_is_too_large() -> None:
    """A database that is away for a night."""
    backoff = Backoff()
    assert {backoff.pause_s(0) for _ in range(5_000)} == {0.25, 0.5, 1, 2, 4, 8, 10}


@given(ENDS)
def test_there_always_is_a_next_one_in_time(ends: list[tuple[float, bool]]) -> None:
    backoff = Backoff()
    for served_s, was_killed in ends:
        pause = backoff.pause_s(served_s, was_killed)
        assert FIRST_S <= pause <= (KILLED_PAUSE_S_MAX if was_killed else PAUSE_S_MAX)
