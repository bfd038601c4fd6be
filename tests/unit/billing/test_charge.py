"""Who pays what, case by case (guarantees M3, M7; response-path 6.8, §14)."""

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.billing.charge import Charge, Ending, decide_charge
from tollway.billing.cost import list_cost
from tollway.billing.ledger import Basis
from tollway.catalog.model import FREE, Price
from tollway.money import Microdollars
from tollway.wire.usage import NO_USAGE, Usage

PRICE = Price("v", datetime(2026, 1, 1, tzinfo=UTC), Decimal("0.000001"), Decimal("0.00001"))
USAGE = Usage(100, 20)  # 300 µ$ by list
COSTED = replace(USAGE, cost_usd=Decimal("0.000123"))

# An answer of 20 tokens to a prompt of 800 bytes, complete, with its usage; nothing is known of the provider's costs.
FINE = Ending(
    price=PRICE,
    worst_case=Microdollars(1_500),
    prompt_tokens_max=500,
    completion_tokens_max=100,
    prompt_text_bytes=800,
    status=200,
    usage=USAGE,
    has_output=True,
    finish_reason="stop",
    deltas=18,
)
AGGREGATOR = replace(FINE, usage=COSTED, reports_cost=True)
# By estimate: 100 prompt tokens (800 / 8) and 18 pieces: 280 µ$
GUESS = Usage(100, 18)


def paid(ending: Ending) -> tuple[Basis, int, int, int]:
    charge = decide_charge(ending)
    return charge.basis, charge.charge, charge.absorbed, charge.market_cost


def test_a_whole_charge() -> None:
    assert decide_charge(AGGREGATOR) == Charge(
        basis=Basis.REPORTED,
        charge=Microdollars(123),
        absorbed=Microdollars(0),
        market_cost=Microdollars(123),
        list_cost=Microdollars(300),
        reported_cost=Microdollars(123),
        usage=COSTED,
    )


@pytest.mark.parametrize(
    ("ending", "basis", "charge"),
    [
        pytest.param(FINE, Basis.REPORTED, 300, id="tokens times price"),
        pytest.param(replace(FINE, usage=COSTED), Basis.REPORTED, 300, id="a cost counts only where it is the rule"),
        pytest.param(replace(AGGREGATOR, usage=USAGE), Basis.REPORTED, 300, id="tokens where no cost came"),
        pytest.param(
            replace(AGGREGATOR, usage=Usage(0, 0, cost_usd=Decimal("0.0005"), is_counted=False)),
            *(Basis.REPORTED, 500),
            id="a cost without counts",
        ),
        pytest.param(replace(FINE, usage=NO_USAGE), Basis.REPORTED, 0, id="an explicit zero is zero"),
        pytest.param(
            replace(FINE, usage=NO_USAGE, price=dataclasses.replace(PRICE, request_usd=Decimal(1))),
            *(Basis.REPORTED, 0),
            id="an explicit zero is zero for priced requests too",
        ),
        pytest.param(
            replace(AGGREGATOR, usage=replace(USAGE, cost_usd=Decimal(0))), Basis.REPORTED, 0, id="a cost of zero"
        ),
        pytest.param(replace(FINE, usage=None), Basis.ESTIMATED, 280, id="no usage"),
        pytest.param(
            replace(FINE, usage=Usage(0, 0, cost_usd=Decimal(1), is_counted=False)),
            *(Basis.ESTIMATED, 280),
            id="no counts, and costs are not the rule",
        ),
        pytest.param(replace(FINE, usage=Usage(5_001, 1)), Basis.ESTIMATED, 280, id="too many prompt tokens"),
        pytest.param(replace(FINE, usage=Usage(1, 1_001)), Basis.ESTIMATED, 280, id="too many completion tokens"),
        pytest.param(
            replace(AGGREGATOR, usage=replace(COSTED, completion_tokens=1_001)),
            *(Basis.ESTIMATED, 280),
            id="a cost beside absurd tokens",
        ),
        pytest.param(
            replace(AGGREGATOR, usage=replace(USAGE, cost_usd=Decimal("0.015"))),
            *(Basis.REPORTED, 15_000),
            id="ten times the worst case",
        ),
        pytest.param(
            replace(AGGREGATOR, usage=replace(USAGE, cost_usd=Decimal("0.015001"))),
            *(Basis.ESTIMATED, 300),
            id="an absurd cost, sane tokens",
        ),
        pytest.param(replace(FINE, worst_case=Microdollars(29)), Basis.ESTIMATED, 280, id="an absurd list cost"),
        pytest.param(
            replace(AGGREGATOR, price=FREE, worst_case=Microdollars(0)),
            Basis.ESTIMATED,
            0,
            id="a cost nothing was held for",
        ),
        pytest.param(
            replace(FINE, usage=None, deltas=0, text_bytes=160), Basis.ESTIMATED, 300, id="a body without usage"
        ),
        pytest.param(replace(FINE, usage=None, deltas=0), Basis.ESTIMATED, 110, id="output is at least one token"),
        pytest.param(replace(FINE, usage=None, finish_reason=None), Basis.ESTIMATED, 280, id="no finish reason"),
        pytest.param(
            replace(FINE, usage=None, finish_reason=None, interrupted=True), Basis.INTERRUPTED, 280, id="interrupted"
        ),
        pytest.param(replace(FINE, usage=None, has_error=True), Basis.INTERRUPTED, 280, id="an error after output"),
        pytest.param(replace(FINE, usage=None, finish_reason="error"), Basis.INTERRUPTED, 280, id="finished by error"),
        pytest.param(
            replace(FINE, finish_reason=None, interrupted=True),
            Basis.INTERRUPTED,
            300,
            id="a running usage, then broken",
        ),
        pytest.param(replace(FINE, interrupted=True), Basis.REPORTED, 300, id="broken after its last usage"),
        pytest.param(
            replace(FINE, has_output=False, deltas=0), Basis.REPORTED, 300, id="an empty answer that finished"
        ),
        pytest.param(
            replace(FINE, has_output=False, deltas=0, usage=None), Basis.ESTIMATED, 100, id="the same without usage"
        ),
        pytest.param(
            replace(FINE, price=dataclasses.replace(PRICE, image_usd=Decimal("0.0001")), images=2),
            Basis.REPORTED,
            500,
            id="images",
        ),
    ],
)
def test_the_caller_pays(ending: Ending, basis: Basis, charge: int) -> None:
    assert paid(ending) == (basis, charge, 0, charge)


EMPTY = replace(FINE, has_output=False, deltas=0)


@pytest.mark.parametrize(
    ("ending", "absorbed"),
    [
        pytest.param(replace(FINE, status=400), 300, id="a refusal that was billed"),
        pytest.param(replace(FINE, status=500, usage=None), 0, id="a refusal"),
        pytest.param(replace(EMPTY, finish_reason=None), 300, id="nothing came"),
        pytest.param(replace(EMPTY, finish_reason=None, usage=None), 0, id="nothing came, nothing reported"),
        pytest.param(replace(EMPTY, has_error=True), 300, id="an error instead of output"),
        pytest.param(replace(EMPTY, finish_reason="error"), 300, id="finished by error"),
        pytest.param(replace(EMPTY, finish_reason=None, interrupted=True), 300, id="broken before the first token"),
        pytest.param(
            replace(AGGREGATOR, has_output=False, finish_reason=None), 123, id="nothing came, and a cost was named"
        ),
    ],
)
def test_no_output_no_charge(ending: Ending, absorbed: int) -> None:
    assert paid(ending) == (Basis.ABSORBED, 0, absorbed, absorbed)


def test_a_free_model_costs_the_operator_what_it_costs() -> None:
    assert paid(replace(AGGREGATOR, is_free=True, price=FREE, worst_case=Microdollars(0))) == (Basis.FREE, 0, 123, 123)
    assert paid(replace(EMPTY, is_free=True, usage=None, finish_reason=None)) == (Basis.FREE, 0, 0, 0)


def test_an_own_key_costs_nobody_here_anything() -> None:
    assert paid(replace(AGGREGATOR, is_byok=True, worst_case=Microdollars(0))) == (Basis.BYOK, 0, 0, 123)
    assert paid(replace(FINE, is_byok=True, is_free=True, status=500)) == (Basis.BYOK, 0, 0, 300)


def test_the_upstreams_own_figure_is_kept_even_when_it_is_not_believed() -> None:
    charge = decide_charge(replace(FINE, usage=replace(USAGE, cost_usd=Decimal(7))))
    assert (charge.reported_cost, charge.list_cost, charge.charge) == (7_000_000, 300, 300)


def test_what_is_stored_is_what_was_reckoned_with() -> None:
    assert decide_charge(replace(FINE, usage=None)).usage == GUESS
    assert decide_charge(replace(FINE, usage=Usage(9_999, 1))).usage == GUESS
    assert decide_charge(replace(FINE, usage=None, status=500)).usage == NO_USAGE


counts = st.integers(0, 10**12)
costs = st.none() | st.decimals(0, 10**9, places=9)
endings = st.builds(
    Ending,
    price=st.sampled_from([PRICE, FREE]),
    worst_case=st.integers(0, 10**10).map(Microdollars),
    prompt_tokens_max=st.integers(1, 10**7),
    completion_tokens_max=st.integers(1, 10**7),
    prompt_text_bytes=st.integers(0, 2 * 10**7),
    status=st.sampled_from([200, 200, 402, 500]),
    usage=st.none() | st.builds(Usage, counts, counts, cost_usd=costs, upstream_cost_usd=costs, is_byok=st.booleans()),
    has_output=st.booleans(),
    finish_reason=st.sampled_from([None, "stop", "error"]),
    has_error=st.booleans(),
    interrupted=st.booleans(),
    deltas=st.integers(0, 10**5),
    reports_cost=st.booleans(),
    is_free=st.booleans(),
    is_byok=st.booleans(),
)


@settings(max_examples=500)
@given(endings)
def test_laws(ending: Ending) -> None:
    charge = decide_charge(ending)
    assert charge.charge >= 0
    assert charge.absorbed >= 0
    assert not (charge.charge and charge.absorbed)
    assert charge.charge + charge.absorbed in (0, charge.market_cost)
    if ending.status >= 400 or ending.is_free or ending.is_byok:
        assert charge.charge == 0
    if charge.basis is Basis.REPORTED:
        assert charge.charge <= 10 * ending.worst_case
    assert charge.list_cost in (0, list_cost(charge.usage, ending.price))
    assert (charge.basis in {Basis.FREE, Basis.BYOK}) == (ending.is_free or ending.is_byok)
