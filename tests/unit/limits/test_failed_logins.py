from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tollway.limits.failed_logins import FailedLogins

MINUTE = 60.0
NAMES = st.sampled_from("abc")
EVENTS = st.lists(st.tuples(NAMES, st.integers(0, 40)), max_size=60)  # a name, and seconds since the event before


def test_the_bound_is_reached_told_once_and_passes() -> None:
    failed = FailedLogins(3, MINUTE, 10)
    assert [failed.add("a", at) for at in (0.0, 10.0, 20.0)] == [False, False, True]
    assert failed.wait_s("a", 20.0) == 40.0
    assert failed.wait_s("a", 59.9) > 0
    assert failed.wait_s("a", 60.0) == 0
    assert not failed.add("a", 61.0), "the same siege"
    assert failed.wait_s("a", 61.0) == 9.0
    assert failed.wait_s("b", 20.0) == 0


def test_after_a_quiet_window_it_is_told_again() -> None:
    failed = FailedLogins(1, MINUTE, 10)
    assert [failed.add("a", at) for at in (0.0, 59.0, 119.0, 120.0)] == [True, False, True, False]


def test_beyond_so_many_names_the_oldest_is_given_up() -> None:
    failed = FailedLogins(1, MINUTE, 2)
    for at, name in enumerate("abac"):
        failed.add(name, float(at))
    assert [bool(failed.wait_s(name, 3.0)) for name in "abc"] == [True, False, True]
    assert len(failed) == 2


def test_names_whose_window_has_passed_are_forgotten() -> None:
    failed = FailedLogins(2, MINUTE, 10)
    failed.add("a", 0.0)
    failed.add("b", 1.0)
    failed.add("c", 60.5)
    assert len(failed) == 2


@given(EVENTS, st.integers(1, 5))
def test_it_is_what_counting_all_instants_says(events: list[tuple[str, int]], most: int) -> None:
    failed, instants, now = FailedLogins(most, MINUTE, 10), defaultdict[str, list[float]](list), 0.0
    for name, later in events:
        now += later
        recent = [at for at in instants[name] if at > now - MINUTE]
        assert bool(failed.wait_s(name, now)) == (len(recent) >= most)
        if not failed.wait_s(name, now):
            failed.add(name, now)
            instants[name].append(now)


@given(EVENTS, st.integers(1, 5))
def test_who_waits_as_long_as_told_may_try_again(events: list[tuple[str, int]], most: int) -> None:
    failed, now = FailedLogins(most, MINUTE, 10), 0.0
    for name, later in events:
        now += later
        failed.add(name, now)
        wait = failed.wait_s(name, now)
        assert 0 <= wait <= MINUTE
        assert failed.wait_s(name, now + wait) == 0
        assert not wait or failed.wait_s(name, now + wait - 1) > 0


@given(EVENTS, st.integers(1, 3))
def test_its_names_are_bounded(events: list[tuple[str, int]], names_max: int) -> None:
    failed, now = FailedLogins(2, MINUTE, names_max), 0.0
    for name, later in events:
        now += later
        failed.add(name, now)
        assert len(failed) <= names_max
