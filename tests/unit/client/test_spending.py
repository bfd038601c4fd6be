"""Tokens and cost of an answer: the laws besides the vectors C-12 to C-14."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.client_model import Cost
from tollway.client.spending import NOTHING_SAID, CostSource, Spent, Tokens, added, footer, spent_of, usd_text
from tollway.wire.usage import Usage

PRICES = Cost(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"))
COUNTS = st.integers(0, 10**9)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_cost_never_falls_as_tokens_grow(prompt: int, completion: int, cached: int, more: int) -> None:
    def cost(prompt_tokens: int, completion_tokens: int) -> Decimal:
        found = spent_of(Usage(prompt_tokens, completion_tokens, min(cached, prompt)), PRICES).cost
        assert found is not None
        return found

    assert cost(prompt, completion) <= cost(prompt + more, completion)
    assert cost(prompt, completion) <= cost(prompt, completion + more)


def test_every_kind_of_token_has_its_price() -> None:
    found = spent_of(Usage(1000, 100, 300, 200, 40), PRICES)
    assert found.tokens == Tokens(1100, 700, 60, 40, 300, 200)
    assert found.cost == (500 * 3 + 100 * 15 + 300 * Decimal("0.3") + 200 * Decimal("3.75")) / 1_000_000


def test_a_price_that_is_missing() -> None:
    """A cached token costs as much as any other; without any price there is no cost, and nought is not assumed."""
    assert spent_of(Usage(1000, 0, 1000), Cost(Decimal(3), Decimal(15))).cost == Decimal("0.003")
    assert spent_of(Usage(1, 0), Cost(output=Decimal(1))).cost is None
    assert spent_of(Usage(0, 1), Cost(output=Decimal(1))).cost == Decimal("0.000001")
    assert spent_of(Usage(1, 1), None) == Spent(Tokens(2, 1, 1))


def test_what_the_gateway_says_counts() -> None:
    assert spent_of(Usage(1, 1, cost_usd=Decimal(0)), PRICES).cost == 0
    only_cost = spent_of(Usage(0, 0, cost_usd=Decimal(1), is_counted=False), PRICES)
    assert only_cost == Spent(None, Decimal(1), CostSource.GATEWAY)
    assert spent_of(None, PRICES) == NOTHING_SAID


def test_several_requests_together() -> None:
    said = Spent(Tokens(3, 2, 1), Decimal("0.1"), CostSource.GATEWAY)
    computed = Spent(Tokens(30, 20, 10), Decimal("0.2"), CostSource.COMPUTED)
    assert added([said, computed]) == Spent(Tokens(33, 22, 11), Decimal("0.3"), CostSource.MIXED)
    assert added([said, said]).source is CostSource.GATEWAY
    assert added([said, NOTHING_SAID]) == NOTHING_SAID
    assert added([]) == NOTHING_SAID


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (None, "-"),
        (Decimal(0), "$0"),
        (Decimal("0.00411"), "$0.00411"),
        (Decimal("0.0000085"), "$0.000009"),
        (Decimal("0.00000001"), "<$0.000001"),
        (Decimal("12.50"), "$12.5"),
        (Decimal(100), "$100"),
    ],
)
def test_money_as_it_is_shown(cost: Decimal | None, shown: str) -> None:
    assert usd_text(cost) == shown


def test_the_footer_says_whose_figure_it_is() -> None:
    assert footer(NOTHING_SAID, "G") == "tokens - · cost -"
    assert footer(Spent(Tokens(2, 1, 1), Decimal(1), CostSource.COMPUTED), "G") == (
        "tokens 1 in, 1 out · cost $1 (computed from list prices)"
    )
    mixed = footer(Spent(Tokens(2, 1, 1, 5, 6, 7), Decimal(1), CostSource.MIXED), "G")
    assert "1 in, 1 out, 5 reasoning, 6 cache read, 7 cache write" in mixed
    assert "partly said by G" in mixed
