from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.recent_count import RecentCount


def test_what_is_older_than_the_window_is_forgotten_step_by_step() -> None:
    count = RecentCount(600, 60)
    count.add(1_005.0)
    count.add(1_015.0)
    assert [count.total(now) for now in (1_015, 1_599, 1_600, 1_609.9, 1_610, 99_999)] == [2, 2, 1, 1, 0, 0]


def test_a_clock_that_steps_back_stands() -> None:
    count = RecentCount(10, 10)
    count.add(100.0)
    count.add(50.0)
    assert (count.total(0.0), count.total(109.9), count.total(110.0)) == (2, 2, 0)


def test_steps_may_be_shorter_than_a_second() -> None:
    count = RecentCount(1, 10)
    count.add(0.0)
    assert (count.total(0.99), count.total(1.0)) == (1, 0)


@given(st.lists(st.floats(0, 300), max_size=100), st.floats(0, 400), st.sampled_from([(60, 60), (60, 6), (5, 10)]))
def test_never_more_than_the_window_and_never_less_than_it_without_a_step(
    times: list[float], later: float, size: tuple[float, int]
) -> None:
    window_s, steps = size
    count, past = RecentCount(window_s, steps), sorted(times)
    for at in past:
        count.add(at)
    now = (past[-1] if past else 0.0) + later
    step_s = window_s / steps
    margin = 1e-6
    least = sum(at > now - window_s + step_s + margin for at in past)
    most = sum(at > now - window_s - margin for at in past)
    assert least <= count.total(now) <= most
