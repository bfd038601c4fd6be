"""From an upstream's own record to a correction (guarantees M3, M8)."""

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.billing.cost import IMPLAUSIBLE_FACTOR, list_cost
from tollway.billing.ledger import Basis, Correction
from tollway.billing.reconciliation import correction_of
from tollway.billing.store import UncertainRow
from tollway.catalog.model import Price
from tollway.money import Microdollars
from tollway.wire.usage import NO_USAGE, TOKENS_MAX, Usage

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PRICE = Price("v", NOW, Decimal("0.000001"), Decimal("0.00001"), cached_usd=Decimal(0), request_usd=Decimal("0.00007"))
USAGE = Usage(100, 20, cached_tokens=40)  # 60 + 200 + 70 = 330 µ$ by list
COSTED = replace(USAGE, cost_usd=Decimal("0.0001235"))  # 123.5 µ$

ROW = UncertainRow(
    id="r1",
    provider_id="sim",
    message_id="gen-1",
    upstream_model="m",
    basis=Basis.ESTIMATED,
    charge=Microdollars(280),
    absorbed=Microdollars(0),
    market_cost=Microdollars(280),
    worst_case=Microdollars(1_500),
    price_version="v",
    prompt_usd=PRICE.prompt_usd,
    completion_usd=PRICE.completion_usd,
    prompt_tokens=100,
    completion_tokens=18,
    prompt_tokens_max=500,
    completion_tokens_max=100,
    status_code=200,
    finish_reason=None,
    has_error=False,
    cancelled=True,
    lookups=0,
    created_at=NOW,
    latency_ms=0,
)
ABSORBED = dataclasses.replace(ROW, basis=Basis.ABSORBED, charge=Microdollars(0))


@pytest.mark.parametrize(
    ("usage", "reports_cost", "charge"),
    [
        pytest.param(COSTED, True, 124 - 280, id="the cost where it is the rule, rounded half up"),
        pytest.param(COSTED, False, 330 - 280, id="tokens times price where it is not"),
        pytest.param(USAGE, True, 330 - 280, id="tokens times price where no cost came"),
        pytest.param(replace(COSTED, cost_usd=Decimal("0.00028")), True, 0, id="the estimate was right"),
        pytest.param(replace(COSTED, cost_usd=Decimal(0)), True, -280, id="a cost of zero is zero"),
        pytest.param(
            Usage(0, 0, cost_usd=Decimal("0.0005"), is_counted=False), True, 500 - 280, id="a cost without counts"
        ),
        pytest.param(NO_USAGE, False, -280, id="zero tokens are worth zero, a priced request too"),
        pytest.param(NO_USAGE, True, -280, id="zero tokens without a cost"),
        pytest.param(Usage(100, 0), False, 170 - 280, id="prompt tokens alone"),
        pytest.param(Usage(0, 20), False, 270 - 280, id="completion tokens alone"),
    ],
)
@pytest.mark.parametrize("basis", [Basis.ESTIMATED, Basis.INTERRUPTED])
def test_the_charge_becomes_what_the_answer_was_worth(
    usage: Usage, reports_cost: bool, charge: int, basis: Basis
) -> None:
    row = dataclasses.replace(ROW, basis=basis)
    assert correction_of(row, usage, PRICE, reports_cost) == Correction(charge, 0)


@pytest.mark.parametrize(("absorbed", "more"), [(0, 124), (100, 24), (130, -6)])
def test_what_was_absorbed_stays_absorbed(absorbed: int, more: int) -> None:
    row = dataclasses.replace(ABSORBED, absorbed=Microdollars(absorbed))
    assert correction_of(row, COSTED, PRICE, reports_cost=True) == Correction(0, more)


def test_what_the_operator_bears_of_an_estimate_stays_as_it_is() -> None:
    row = dataclasses.replace(ROW, absorbed=Microdollars(9))
    assert correction_of(row, COSTED, PRICE, reports_cost=True) == Correction(124 - 280, 0)


@pytest.mark.parametrize(
    ("usage", "reports_cost"),
    [
        pytest.param(
            Usage(0, 0, cost_usd=Decimal("0.0005"), is_counted=False), False, id="a cost that is not the rule"
        ),
        pytest.param(Usage(0, 0, is_counted=False), True, id="neither cost nor counts"),
        pytest.param(replace(USAGE, cost_usd=Decimal("0.015001")), True, id="a cost beyond ten worst cases"),
        pytest.param(replace(COSTED, completion_tokens=1_001), True, id="too many tokens for what was asked"),
        pytest.param(replace(COSTED, prompt_tokens=5_001), True, id="too many tokens in the prompt"),
        pytest.param(Usage(0, TOKENS_MAX), False, id="tokens that nobody can generate"),
        pytest.param(Usage(5_000, 1_000), False, id="tokens that are possible each and too dear together"),
    ],
)
def test_what_is_not_believable_corrects_nothing(usage: Usage, reports_cost: bool) -> None:
    for row in (ROW, ABSORBED):
        assert correction_of(row, usage, PRICE, reports_cost) is None


def test_ten_worst_cases_are_still_believable() -> None:
    named = replace(USAGE, cost_usd=Decimal("0.015"))
    assert correction_of(ROW, named, PRICE, reports_cost=True) == Correction(15_000 - 280, 0)
    most = Usage(5_000, 995, cached_tokens=20)
    assert list_cost(most, PRICE) == 15_000
    assert correction_of(ROW, most, PRICE, reports_cost=False) == Correction(15_000 - 280, 0)


def test_no_price_is_high_enough_to_break_the_reckoning() -> None:
    """A hostile record times an absurd price would not fit into 64 bits; it is refused before."""
    dear = dataclasses.replace(PRICE, completion_usd=Decimal(10**9))
    assert correction_of(ROW, Usage(0, TOKENS_MAX), dear, reports_cost=False) is None


amounts = st.integers(0, 20_000).map(Microdollars)
tokens = st.integers(0, 10_000)
usages = st.builds(Usage, tokens, tokens, cost_usd=st.none() | st.decimals(0, 1, places=9), is_counted=st.booleans())


@given(amounts, amounts, st.sampled_from([Basis.ESTIMATED, Basis.INTERRUPTED, Basis.ABSORBED]), usages, st.booleans())
def test_no_correction_takes_back_more_than_was_booked_or_goes_beyond_ten_worst_cases(
    charge: Microdollars, absorbed: Microdollars, basis: Basis, usage: Usage, reports_cost: bool
) -> None:
    is_absorbed = basis is Basis.ABSORBED
    row = dataclasses.replace(ROW, basis=basis, charge=Microdollars(0) if is_absorbed else charge, absorbed=absorbed)
    correction = correction_of(row, usage, PRICE, reports_cost)
    if correction is not None:
        corrected = (row.charge + correction.charge, row.absorbed + correction.absorbed)
        assert all(amount >= 0 for amount in corrected)
        moved = corrected[1 if is_absorbed else 0]
        assert moved <= IMPLAUSIBLE_FACTOR * row.worst_case
        assert corrected[0 if is_absorbed else 1] == (0 if is_absorbed else absorbed)
        again = dataclasses.replace(row, charge=Microdollars(corrected[0]), absorbed=Microdollars(corrected[1]))
        assert correction_of(again, usage, PRICE, reports_cost) == Correction(0, 0)
