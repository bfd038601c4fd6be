"""How a budget is divided: never more than is there, the request first, a share for the worker only from the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.lease import SHARES_PER_WORKER, divide
from tollway.billing.ledger import HoldPolicy

PARTIAL, STRICT = HoldPolicy.PARTIAL, HoldPolicy.STRICT

needs = st.integers(1, 10**9)
reaches = st.integers(-(10**9), 10**12) | st.integers(0, 100)
policies = st.sampled_from(HoldPolicy)


@pytest.mark.parametrize(
    ("need", "within_reach", "sharers", "policy", "others", "parts"),
    [
        (100, 1000, 1, STRICT, True, (100, 400)),  # half of it all for the only worker, the request's need included
        (100, 1000, 4, STRICT, False, (100, 25)),
        (100, 1000, 5, STRICT, False, (100, 0)),  # its share is what the request holds
        (100, 1000, 50, STRICT, False, (100, 0)),  # a request comes before the others' shares
        (100, 100, 1, STRICT, True, (100, 0)),  # exactly one hold
        (100, 99, 1, STRICT, False, None),
        (100, 99, 1, PARTIAL, False, (99, 0)),
        (100, 99, 1, PARTIAL, True, None),  # one partly covered request is enough
        (100, 100, 1, PARTIAL, True, (100, 0)),  # a covered one is always welcome
        (100, 1, 1, PARTIAL, False, (1, 0)),
        (100, 0, 1, PARTIAL, False, None),
        (100, -5, 1, PARTIAL, False, None),
        (0, -5, 1, STRICT, True, (0, 0)),  # a free model needs nothing
        (0, 0, 1, PARTIAL, True, (0, 0)),
        (0, 100, 2, STRICT, True, (0, 25)),
    ],
)
def test_who_gets_what(
    need: int, within_reach: int, sharers: int, policy: HoldPolicy, others: bool, parts: tuple[int, int] | None
) -> None:
    assert divide(need, within_reach, sharers, policy, others_partly_covered=others) == parts


@given(st.just(0) | needs, reaches, st.integers(1, 100), policies, st.booleans())
def test_never_more_than_is_within_reach(
    need: int, within_reach: int, sharers: int, policy: HoldPolicy, others: bool
) -> None:
    held, kept = divide(need, within_reach, sharers, policy, others_partly_covered=others) or (0, 0)
    assert held >= 0
    assert kept >= 0
    assert held + kept <= max(within_reach, 0)


@given(needs, reaches, st.integers(1, 100), policies, st.booleans())
def test_all_of_the_need_or_everything_that_is_left(
    need: int, within_reach: int, sharers: int, policy: HoldPolicy, others: bool
) -> None:
    parts = divide(need, within_reach, sharers, policy, others_partly_covered=others)
    if within_reach >= need:
        assert parts
        assert parts[0] == need
    elif parts:
        assert parts == (within_reach, 0)
        assert (policy, others) == (PARTIAL, False)
    else:
        assert within_reach <= 0 or policy is STRICT or others


@given(needs, reaches, st.integers(1, 100), policies, st.booleans())
def test_nobody_keeps_more_than_a_share_beside_a_hold(
    need: int, within_reach: int, sharers: int, policy: HoldPolicy, others: bool
) -> None:
    held, kept = divide(need, within_reach, sharers, policy, others_partly_covered=others) or (0, 0)
    assert kept == 0 or (held + kept) * SHARES_PER_WORKER * sharers <= within_reach


@given(st.integers(1, 1_000), st.integers(0, 10**6), st.integers(1, 20))
def test_every_worker_finds_something(need: int, more: int, workers: int) -> None:
    """All ask in a row for what is an ordinary request: none has taken what the last one needs."""
    left = SHARES_PER_WORKER * workers * need + more
    for _ in range(workers):
        parts = divide(need, left, workers, STRICT, others_partly_covered=False)
        assert parts
        left -= sum(parts)
    assert left >= 0


@given(st.integers(1, 50), st.integers(0, 2_000), st.integers(1, 8), policies)
def test_a_budget_is_used_up_to_its_last_hold(need: int, balance: int, sharers: int, policy: HoldPolicy) -> None:
    """Slices shrink, and the cap is hard: as many are covered as one by one at the counter, then at most one partly."""
    free, left, holds, slices = 0, balance, list[int](), list[int]()
    while parts := (
        (need, free - need)
        if free >= need
        else divide(need, left + free, sharers, policy, others_partly_covered=any(held < need for held in holds))
    ):
        if free < need:
            left += free - sum(parts)
            slices.append(sum(parts))
        held, free = parts
        holds.append(held)
    covered, rest = divmod(balance, need)
    assert holds == [need] * covered + ([rest] if rest and policy is PARTIAL else [])
    assert left + free == balance - sum(holds)
    assert slices == sorted(slices, reverse=True)
