import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.breaker import BREAKERS_MAX, Breaker, Breakers
from tollway.settings import BreakerRules

RULES = BreakerRules()
NOW = 1_000.0


def run(breaker: Breaker, now: float, *ends: bool | None) -> bool:
    """One attempt after the other; whether the last one opened it."""
    opened = False
    for failed in ends:
        turn = breaker.admit(now)
        assert turn is not None
        opened = breaker.end(turn, failed, now)
    return opened


def opened(rules: BreakerRules = RULES, now: float = NOW) -> Breaker:
    breaker = Breaker(rules)
    assert run(breaker, now, *[True] * 10)
    return breaker


def test_ten_failures_in_a_row_open_it() -> None:
    breaker = Breaker(RULES)
    assert not run(breaker, NOW, *[True] * 9)
    assert breaker.is_closed
    assert not run(breaker, NOW, False, *[True] * 8)  # a success begins the row anew; 17 of 18, but of too few
    assert run(Breaker(RULES), NOW, *[True] * 10)


@pytest.mark.parametrize(("ends", "opens"), [([False, True] * 10, True), ([True, False, False] * 20, False)])
def test_half_of_twenty_open_it(ends: list[bool], opens: bool) -> None:
    breaker = Breaker(RULES)
    assert not run(breaker, NOW, *ends[:19])
    run(breaker, NOW, *ends[19:])
    assert breaker.is_closed != opens


def test_what_is_long_ago_does_not_count() -> None:
    breaker = Breaker(RULES)
    run(breaker, NOW, *[True, True, False] * 6)
    assert not run(breaker, NOW + 31, True, True)
    assert breaker.is_closed


def test_what_is_nobodys_fault_counts_for_nothing() -> None:
    breaker = Breaker(RULES)
    run(breaker, NOW, *[True] * 9, *[None] * 100)
    assert breaker.is_closed
    assert run(breaker, NOW, True)  # nor does it end the row


def test_open_it_admits_nothing_then_one() -> None:
    breaker = opened()
    assert breaker.admit(NOW + 14.9) is None
    assert breaker.wait_s(NOW + 5) == 10
    assert breaker.admit(NOW + 15) is not None
    assert breaker.admit(NOW + 15) is None


def test_a_trial_that_succeeds_closes_it() -> None:
    breaker = opened()
    assert not run(breaker, NOW + 15, False)
    assert breaker.is_closed
    assert not run(breaker, NOW + 15, *[True] * 9)  # and what was before is forgotten


def test_trials_that_fail_double_the_time_up_to_a_bound() -> None:
    breaker, now = opened(), NOW + 15
    for wait in (30, 60, 120, 120):
        assert run(breaker, now, True)
        assert breaker.wait_s(now) == wait
        now += wait
    assert not run(breaker, now, False)
    assert run(breaker, now, *[True] * 10)
    assert breaker.wait_s(now) == 15


def test_a_trial_that_says_nothing_lets_the_next_one_through() -> None:
    breaker = opened()
    run(breaker, NOW + 15, None, None)
    assert not breaker.is_closed
    run(breaker, NOW + 15, False)
    assert breaker.is_closed


def trials(breaker: Breaker, *at: float) -> list[int]:
    """The turns of trials that begin then, each because nothing was heard of the one before."""
    turns = [breaker.admit(now) for now in at]
    assert None not in turns
    return [turn for turn in turns if turn is not None]


def test_a_trial_of_which_nothing_is_heard_is_not_waited_for_for_ever() -> None:
    breaker = opened()
    trials(breaker, NOW + 15)
    assert breaker.admit(NOW + 29) is None
    (second,) = trials(breaker, NOW + 30)
    assert breaker.admit(NOW + 31) is None
    assert not breaker.end(second, False, NOW + 31)
    assert breaker.is_closed


@pytest.mark.parametrize("first", [0, 1, 2])
def test_trials_that_take_longer_than_it_stays_open_close_it(first: int) -> None:
    """Else an upstream whose answers take that long would never be well again while there always is a next one."""
    breaker = opened()
    turns = trials(breaker, NOW + 15, NOW + 30, NOW + 45)
    assert not breaker.end(turns.pop(first), False, NOW + 46)
    assert breaker.is_closed
    for turn in turns:
        breaker.end(turn, True, NOW + 47)
    assert breaker.is_closed
    assert run(breaker, NOW + 48, *[True] * 10)
    assert breaker.wait_s(NOW + 48) == 15


@pytest.mark.parametrize("first", [0, 1, 2])
def test_trials_that_fail_after_the_next_one_began_double_the_time_once(first: int) -> None:
    breaker = opened()
    turns = trials(breaker, NOW + 15, NOW + 30, NOW + 45)
    assert breaker.end(turns.pop(first), True, NOW + 50)
    for turn, failed in zip(turns, (True, False), strict=True):
        assert not breaker.end(turn, failed, NOW + 51)
    assert breaker.wait_s(NOW + 50) == 30


def test_a_trial_that_says_nothing_lets_no_one_through_beside_the_next() -> None:
    breaker = opened()
    first, _ = trials(breaker, NOW + 15, NOW + 30)
    breaker.end(first, None, NOW + 31)
    assert breaker.admit(NOW + 31) is None


@pytest.mark.parametrize("failed", [True, False, None])
def test_what_began_before_it_opened_says_nothing(failed: bool | None) -> None:
    breaker = Breaker(RULES)
    early = breaker.admit(NOW)
    assert early is not None
    run(breaker, NOW, *[True] * 10)
    assert not breaker.end(early, failed, NOW + 1)
    assert breaker.wait_s(NOW + 1) == 14
    trial = breaker.admit(NOW + 15)
    assert trial is not None
    assert not breaker.end(early, failed, NOW + 15)
    assert not breaker.is_closed


def test_either_rule_can_be_off() -> None:
    by_share = Breaker(BreakerRules(failures_in_a_row=0))
    assert not run(by_share, NOW, *[True] * 19)
    assert run(by_share, NOW, True)
    by_row = Breaker(BreakerRules(calls_min=0))
    assert not run(by_row, NOW, *[True, True, False] * 100)
    off = Breaker(BreakerRules(calls_min=0, failures_in_a_row=0))
    assert not run(off, NOW, *[True] * 1_000)


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from([True, False, None])), max_size=200))
def test_it_always_admits_again(steps: list[tuple[float, bool | None]]) -> None:
    breaker, now = Breaker(RULES), NOW
    for seconds, failed in steps:
        now += seconds
        turn = breaker.admit(now)
        assert turn is not None or breaker.wait_s(now) > 0
        assert breaker.wait_s(now) <= RULES.open_s_max
        if turn is not None:
            breaker.end(turn, failed, now)
    assert breaker.admit(now + RULES.open_s_max) is not None


def test_everybody_has_breakers_of_his_own() -> None:
    breakers = Breakers(RULES)
    run(breakers.of("", "up/a/b"), NOW, *[True] * 10)
    assert breakers.open_count() == 1
    for other in (("", "up/c/d"), ("", "other/a/b"), ("user-1", "up/a/b")):
        assert breakers.of(*other).is_closed
    assert not breakers.of("", "up/a/b").is_closed


def test_they_are_bounded() -> None:
    breakers = Breakers(RULES)
    for number in range(BREAKERS_MAX + 5):
        run(breakers.of("", f"up/{number}"), NOW, *[True] * 10)
    assert breakers.open_count() == BREAKERS_MAX
    assert breakers.of("", "up/0").is_closed
