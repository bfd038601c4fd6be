import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.fallback import RETRYABLE_STATUSES, RetryBudget, Tried, pause_before_retry
from tollway.settings import Retries

RULES = Retries()
TOTAL_S = 20.0


def pause(
    tried: Tried, done: int = 0, unanswered: int = 0, elapsed: float = 0, roll: float = 0.5, **more: bool
) -> float | None:
    return pause_before_retry(tried, done, unanswered, elapsed, TOTAL_S, RULES, roll, **more)


@pytest.mark.parametrize("status", range(100, 1000))
def test_only_the_listed_statuses_are_tried_again(status: int) -> None:
    assert (pause(Tried(status)) is not None) == (status in {408, 425, 429, 500, 502, 503, 504, 529})


@pytest.mark.parametrize(
    ("tried", "unanswered", "expected"),
    [
        (Tried(None), 0, 0.1),  # never sent
        (Tried(None), 1, 0.1),
        (Tried(None, sent=True), 0, 0.1),
        (Tried(None, sent=True), 1, None),  # may have been billed twice by now
        (Tried(None, sent=True, stale=True), 0, 0.0),
        (Tried(None, sent=True, stale=True), 1, None),
        (Tried(None, saturated=True), 0, None),
        (Tried(503, retry_after_s=3), 0, 3),
        (Tried(503, retry_after_s=0), 0, 0),
        (Tried(503, retry_after_s=10), 0, 10),
        (Tried(503, retry_after_s=11), 0, None),
        (Tried(400, retry_after_s=1), 0, None),
    ],
)
def test_failure_points(tried: Tried, unanswered: int, expected: float | None) -> None:
    assert pause(tried, unanswered=unanswered) == expected


def test_another_upstream_is_not_bound_by_what_the_first_one_says() -> None:
    assert pause(Tried(429, retry_after_s=3_600), elsewhere=True) == 0.1
    assert pause(Tried(None, saturated=True), elsewhere=True) == 0
    assert pause(Tried(400), elsewhere=True) is None
    assert pause(Tried(None, sent=True), unanswered=1, elsewhere=True) is None


def test_pauses_double_with_full_jitter() -> None:
    assert [pause(Tried(500), done, roll=1) for done in (0, 1, 2)] == [0.2, 0.4, None]
    assert pause(Tried(500), roll=0) == 0


def test_zero_turns_retries_off() -> None:
    assert pause_before_retry(Tried(503), 0, 0, 0, TOTAL_S, Retries(count_max=0), 0.5) is None


tries = st.builds(
    Tried,
    st.none() | st.sampled_from(sorted(RETRYABLE_STATUSES)) | st.integers(100, 999),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | st.floats(0, 1e6),
)


@given(tries, st.integers(0, 5), st.integers(0, 3), st.floats(0, 60), st.floats(0, 1), st.booleans())
def test_a_pause_is_bounded_and_ends_before_the_total(
    tried: Tried, done: int, unanswered: int, elapsed: float, roll: float, elsewhere: bool
) -> None:
    seconds = pause(tried, done, unanswered, elapsed, roll, elsewhere=elsewhere)
    if seconds is not None:
        assert done < RULES.count_max
        assert 0 <= seconds <= RULES.retry_after_s_max
        assert elapsed + seconds < TOTAL_S


def test_the_budget_is_a_share_of_first_attempts() -> None:
    budget = RetryBudget(Retries(budget_min=3, budget_share=0.2))
    assert [budget.take(100.0) for _ in range(4)] == [True, True, True, False]
    for _ in range(30):
        budget.count_first(101.0)
    assert [budget.take(102.0) for _ in range(4)] == [True, True, True, False]


def test_the_budget_forgets_after_ten_seconds() -> None:
    budget = RetryBudget(Retries(budget_min=1))
    assert budget.take(100.0)
    assert not budget.take(109.9)
    assert budget.take(110.0)
    assert budget.take(10_000.0)


def test_the_budget_survives_a_clock_that_steps_back() -> None:
    budget = RetryBudget(Retries(budget_min=2))
    assert budget.take(100.0)
    assert budget.take(99.0)
    assert not budget.take(98.0)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=200))
def test_retries_never_exceed_their_share_of_any_ten_seconds(steps: list[tuple[int, bool]]) -> None:
    rules = Retries(budget_min=2, budget_share=0.5)
    budget = RetryBudget(rules)
    first: list[int] = []
    retried: list[int] = []
    for second, is_first in sorted(steps, key=lambda step: step[0]):
        if is_first:
            budget.count_first(second)
            first.append(second)
        elif budget.take(second):
            retried.append(second)
            recent = [sum(second - 10 < at <= second for at in times) for times in (first, retried)]
            assert recent[1] <= max(rules.budget_min, rules.budget_share * recent[0] + 1)
