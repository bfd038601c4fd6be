from hypothesis import given
from hypothesis import strategies as st

from tollway.limits.window import HOLD_MS, MINUTE_MS, ExactWindow, MinuteWindow

HOUR = 3_600_000
LATER = st.lists(st.integers(0, 2 * HOUR // 10), max_size=60)


def test_an_entry_exactly_as_old_as_the_window_still_counts() -> None:
    window = ExactWindow(HOUR)
    assert window.log("a", 0, 1)
    assert window.used(HOUR) == 1
    assert window.frees_at(HOUR) == HOUR + 1
    assert window.used(HOUR + 1) == 0


def test_a_place_counts_until_it_is_logged_released_or_over() -> None:
    window = ExactWindow(HOUR)
    assert window.hold("a", 0, 2)
    assert window.hold("b", 0, 2)
    assert not window.hold("c", 0, 2)
    assert window.log("a", 1, 2)
    window.release("b")
    assert (window.used(1), window.holds("a", 1), window.holds("b", 1)) == (1, False, False)
    assert window.hold("c", 1, 2)
    assert window.holds("c", HOLD_MS)
    assert not window.holds("c", HOLD_MS + 1)
    assert window.frees_at(1) == 1 + HOLD_MS
    assert window.used(1 + HOLD_MS) == 1


def test_holding_twice_is_one_place_and_no_longer() -> None:
    window = ExactWindow(HOUR)
    assert window.hold("a", 0, 1)
    assert window.hold("a", 59_000, 1)
    assert window.used(59_000) == 1
    assert window.used(HOLD_MS) == 0


def test_an_instant_that_goes_back_frees_nothing_early() -> None:
    window = ExactWindow(HOUR)
    window.hold("a", 1_000, 9)
    window.hold("b", 0, 9)
    window.log("c", 1_000, 9)
    window.log("d", 0, 9)
    assert window.used(HOLD_MS + 999) == 4
    assert window.used(HOUR + 1_000) == 2
    assert window.used(HOUR + 1_001) == 0


def test_an_empty_window_frees_something_after_its_length() -> None:
    assert ExactWindow(HOUR).frees_at(5) == 5 + HOUR
    assert MinuteWindow(HOUR).frees_at(5) == 5 + HOUR


@given(LATER, st.integers(1, 5))
def test_no_stretch_of_an_hour_ever_has_more_entries_than_allowed(steps: list[int], most: int) -> None:
    window, now, entries = ExactWindow(HOUR), 0, []
    for number, step in enumerate(steps):
        now += step
        if window.log(f"{number}", now, most):
            entries.append(now)
        elif now < window.frees_at(now) - 1:
            assert not window.log("early", window.frees_at(now) - 1, most)
    assert all(sum(at - HOUR <= other <= at for other in entries) <= most for at in entries)


@given(LATER)
def test_a_minute_window_is_never_early_and_at_most_a_minute_late(steps: list[int]) -> None:
    window, now, entries = MinuteWindow(HOUR), 0, []
    for step in steps:
        now += step
        window.log(now)
        entries.append(now)
        exact = sum(at >= now - HOUR for at in entries)
        assert exact <= window.used(now) <= sum(at >= now - HOUR - MINUTE_MS for at in entries)
        if exact:
            assert window.frees_at(now) > now


def test_a_minute_window_frees_a_whole_minute_at_once() -> None:
    window = MinuteWindow(HOUR)
    window.log(0)
    window.log(MINUTE_MS - 1)
    window.log(MINUTE_MS)
    at = window.frees_at(MINUTE_MS)
    assert (window.used(at - 1), window.used(at)) == (3, 1)
    assert at == MINUTE_MS + HOUR


def test_a_day_of_minutes_is_bounded() -> None:
    window = MinuteWindow(24 * HOUR)
    for number in range(5_000):
        window.used(number * MINUTE_MS)
        window.log(number * MINUTE_MS)
        window.log(number * MINUTE_MS)
    assert len(window._minutes) == len(window._counts) == 1_441
    assert window.used(4_999 * MINUTE_MS) == 2 * 1_441
    window.log(0)  # a clock that went back: counted in the newest minute
    assert len(window._minutes) == 1_441
