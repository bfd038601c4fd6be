"""The two pure rules of the ledger: how much is held, and what a settlement moves."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.ledger import (
    ABSORBED,
    BUDGET_ORDER,
    REVENUE,
    Basis,
    BudgetKind,
    BudgetRef,
    EntryKind,
    Hold,
    HoldPolicy,
    Outcome,
    Posting,
    UsageRecord,
    cut_hold,
    postings_of,
)
from tollway.money import Microdollars
from tollway.wire.usage import Usage

RECORD = UsageRecord(
    user_id="u",
    organization_id=None,
    key_id=None,
    provider_id="openai",
    requested_model="m",
    model="m",
    upstream_model="m",
    inference_provider=None,
    message_id=None,
    finish_reason="stop",
    status_code=200,
    streamed=True,
    has_error=False,
    cancelled=False,
    price_version="v",
    prompt_usd=Decimal(0),
    completion_usd=Decimal(0),
    attempts=1,
    latency_ms=1,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def outcome(charge: int, absorbed: int) -> Outcome:
    budgets = (BudgetRef(BudgetKind.ORGANIZATION, "o"), BudgetRef(BudgetKind.MEMBER_DAY, "o:u:2026-01-01"))
    return Outcome(
        hold=Hold("r", Microdollars(10), budgets, date(2026, 1, 1)),
        usage=Usage(1, 1),
        basis=Basis.REPORTED,
        charge=Microdollars(charge),
        absorbed=Microdollars(absorbed),
        market_cost=Microdollars(charge + absorbed),
        list_cost=Microdollars(0),
        reported_cost=None,
        record=RECORD,
    )


def test_a_charge_leaves_the_payers_balance_and_an_absorbed_cost_ours() -> None:
    charge = Posting(EntryKind.CHARGE, "organization:o", REVENUE, Microdollars(7))
    absorbed = Posting(EntryKind.ABSORBED, ABSORBED, REVENUE, Microdollars(3))
    assert postings_of(outcome(7, 0)) == (charge,)
    assert postings_of(outcome(0, 3)) == (absorbed,)
    assert postings_of(outcome(7, 3)) == (charge, absorbed)
    assert postings_of(outcome(0, 0)) == ()


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_the_sum_over_all_accounts_stays_zero(charge: int, absorbed: int) -> None:
    accounts: dict[str, int] = {}
    for posting in postings_of(outcome(charge, absorbed)):
        assert posting.amount > 0
        accounts[posting.debit] = accounts.get(posting.debit, 0) - posting.amount
        accounts[posting.credit] = accounts.get(posting.credit, 0) + posting.amount
    assert sum(accounts.values()) == 0


@pytest.mark.parametrize(
    ("worst_case", "available", "partial", "strict"),
    [
        (100, [100], 100, 100),
        (100, [500, 99], 99, None),
        (100, [1, 500], 1, None),
        (100, [500, 0], None, None),
        (100, [-5], None, None),
        (0, [-5], 0, 0),
    ],
)
def test_a_hold_never_exceeds_the_tightest_budget(
    worst_case: int, available: list[int], partial: int | None, strict: int | None
) -> None:
    assert cut_hold(worst_case, available, HoldPolicy.PARTIAL) == partial
    assert cut_hold(worst_case, available, HoldPolicy.STRICT) == strict


@given(st.integers(1, 10**9), st.lists(st.integers(-(10**9), 10**9), min_size=1), st.sampled_from(HoldPolicy))
def test_laws_of_holds(worst_case: int, available: list[int], policy: HoldPolicy) -> None:
    held = cut_hold(worst_case, available, policy)
    if held is None:
        assert min(available) < worst_case
    else:
        assert 0 < held <= min(worst_case, *available)
        assert held == worst_case or policy is HoldPolicy.PARTIAL


def test_budgets_are_locked_from_the_widest_to_the_narrowest() -> None:
    order = sorted(BudgetKind, key=lambda kind: BUDGET_ORDER[kind])
    assert order == [BudgetKind.ORGANIZATION, BudgetKind.USER, BudgetKind.MEMBER_DAY, BudgetKind.KEY]
    assert BudgetRef(BudgetKind.KEY, "k1").id == "key:k1"
