"""The pure rules of the ledger: partly covered holds, and what a settlement and a correction of it move."""

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
    Correction,
    EntryKind,
    Hold,
    Outcome,
    Posting,
    UsageRecord,
    postings_of,
    postings_of_correction,
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
    route=(),
    attempts=(),
    prompt_tokens_max=1,
    completion_tokens_max=1,
    latency_ms=1,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def a_hold(*amounts: int) -> Hold:
    budgets = (BudgetRef(BudgetKind.ORGANIZATION, "o"), BudgetRef(BudgetKind.MEMBER_DAY, "o:u:2026-01-01"))
    return Hold("r", Microdollars(10), budgets, tuple(map(Microdollars, amounts)), date(2026, 1, 1))


def outcome(charge: int, absorbed: int) -> Outcome:
    return Outcome(
        hold=a_hold(10, 10),
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
    ("correction", "postings"),
    [
        (Correction(0, 0), ()),
        (Correction(7, 0), (Posting(EntryKind.CORRECTION, "user:u", REVENUE, Microdollars(7)),)),
        (Correction(-7, 0), (Posting(EntryKind.CORRECTION, REVENUE, "user:u", Microdollars(7)),)),
        (
            Correction(-7, 3),
            (
                Posting(EntryKind.CORRECTION, REVENUE, "user:u", Microdollars(7)),
                Posting(EntryKind.ABSORBED_CORRECTION, ABSORBED, REVENUE, Microdollars(3)),
            ),
        ),
        (Correction(0, -3), (Posting(EntryKind.ABSORBED_CORRECTION, REVENUE, ABSORBED, Microdollars(3)),)),
    ],
)
def test_a_correction_moves_what_is_missing_and_gives_back_what_was_too_much(
    correction: Correction, postings: tuple[Posting, ...]
) -> None:
    assert postings_of_correction("user:u", correction) == postings


def test_a_hold_is_partly_covered_when_any_budget_has_less() -> None:
    assert not a_hold(10, 10).is_partly_covered
    assert a_hold(10, 9).is_partly_covered
    assert a_hold(9, 10).amount == 9


def test_budgets_are_locked_from_the_widest_to_the_narrowest() -> None:
    order = sorted(BudgetKind, key=lambda kind: BUDGET_ORDER[kind])
    assert order == [BudgetKind.ORGANIZATION, BudgetKind.USER, BudgetKind.MEMBER_DAY, BudgetKind.KEY]
    assert BudgetRef(BudgetKind.KEY, "k1").id == "key:k1"
