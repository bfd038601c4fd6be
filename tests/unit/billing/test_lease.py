"""How a budget is divided: never more than is there, the request first, a share for the worker only from the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.lease import divide
from tollway.billing.ledger import HoldPolicy

PARTIAL, STRICT = HoldPolicy.PARTIAL, HoldPolicy.STRICT


@pytest.mark.parametrize(
    ("need", "within_reach", "sharers", "policy", "others", "parts"),
    [
        (100, 1000, 1, STRICT, True, (100, 400)),
        (100, 1000, 5, STRICT, False, (100, 0)),
        (100, 1000, 4, STRICT, False, (100, 25)),
        (100, 100, 1, STRICT, True, (100, 0)),
        (100, 99, 1, STRICT, False, None),
        (100, 99, 1, PARTIAL, False, (99, 0)),
        (100, 99, 1, PARTIAL, True, None),
        (100, 0, 1, PARTIAL, False, None),
        (100, -5, 1, PARTIAL, False, None),
        (0, -5, 1, STRICT, True, (0, 0)),
        (0, 100, 2, STRICT, True, (0, 25)),
    ],
)
def test_who_gets_what(
    need: int, within_reach: int, sharers: int, policy: HoldPolicy, others: bool, parts: tuple[int, int] | None
) -> None:
    assert divide(need, within_reach, sharers, policy, others_partly_covered=others) == parts


@given(
    st.integers(0, 10**9),
    st.integers(-(10**9), 10**12),
    st.integers(1, 100),
    st.sampled_from(HoldPolicy),
    st.booleans(),
)
def test_laws(need: int, within_reach: int, sharers: int, policy: HoldPolicy, others: bool) -> None:
    parts = divide(need, within_reach, sharers, policy, others_partly_covered=others)
    if parts is None:
        assert within_reach < need
        return
    held, kept = parts
    assert held >= 0
    assert kept >= 0
    assert held <= need
    assert held + kept <= max(within_reach, 0)
    if held < need:
        assert kept == 0
        assert policy is PARTIAL
        assert not others
