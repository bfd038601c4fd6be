"""Vectors of response-path §16.1 (USD → µ$) and §16.2 (`usage` objects), with the rounding rule of its §14."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tollway.billing.cost import contradictions, list_cost, reported_cost
from tollway.catalog.model import Price
from tollway.money import round_usd
from tollway.wire.usage import NO_USAGE, Usage, read_usage


@pytest.mark.parametrize(
    ("usd", "microdollars"),
    [
        pytest.param("0.123456", 123456, id="response:V1"),
        pytest.param("1", 1000000, id="response:V2"),
        pytest.param("0.00000099", 1, id="response:V3"),
        pytest.param("0.00000049", 0, id="response:V4"),
        pytest.param("0.1234567", 123457, id="response:V5"),
        pytest.param("0.0630235", 63024, id="response:V6"),
        pytest.param("0.2520745", 252075, id="response:V7"),
        pytest.param("0.0318645", 31865, id="response:V8"),
        pytest.param("0.0000005", 1, id="response:V9"),
        pytest.param("0.0000025", 3, id="response:V10"),
        pytest.param("-0.0000005", 0, id="response:V11"),
        pytest.param("-0.0000015", -1, id="response:V12"),
        pytest.param("-0.02507625", -25076, id="response:V13"),
        pytest.param("0.01413195", 14132, id="response:V14"),
        pytest.param("0.0010005", 1001, id="response:V15"),
    ],
)
def test_usd_to_microdollars(usd: str, microdollars: int) -> None:
    assert round_usd(Decimal(usd)) == microdollars


@pytest.mark.parametrize(
    ("text", "expected", "warns"),
    [
        pytest.param(
            '{"prompt_tokens":10,"completion_tokens":2,"cost":0.001,"is_byok":false,'
            '"cost_details":{"upstream_inference_cost":0.7}}',
            {"prompt": 10, "completion": 2, "cost": 1000, "is_byok": False},
            False,
            id="response:V16",
        ),
        pytest.param(
            '{"cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}',
            {"prompt": 0, "completion": 0, "cost": 20000},
            False,
            id="response:V17",
        ),
        pytest.param(
            '{"cost":0.0018,"is_byok":true,"cost_details":{"upstream_inference_cost":0.036}}',
            {"cost": 36000},
            False,
            id="response:V18",
        ),
        pytest.param(
            '{"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}',
            {"cost": 20000},
            False,
            id="response:V19",
        ),
        pytest.param(
            '{"cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02001}}',
            {"cost": 20010},
            True,
            id="response:V20",
        ),
        pytest.param(
            '{"cost":0.00012,"prompt_tokens":5}', {"prompt": 5, "cost": 120, "is_byok": None}, True, id="response:V21"
        ),
        pytest.param(
            '{"prompt_tokens":20,"completion_tokens":3,"cost":0.000105,"is_byok":false,'
            '"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":12}}',
            {"prompt": 20, "completion": 3, "hit": 0, "write": 12, "cost": 105},
            False,
            id="response:V22",
        ),
        pytest.param(
            '{"prompt_tokens_details":{"cached_tokens":7,"cache_creation_input_tokens":9}}',
            {"hit": 7, "write": 9},
            False,
            id="response:V23",
        ),
        pytest.param("null", {"prompt": 0, "completion": 0, "cost": 0, "is_byok": None}, False, id="response:V24"),
    ],
)
def test_usage_objects(text: str, expected: dict[str, object], warns: bool) -> None:
    usage = read_usage(text.encode()) or NO_USAGE
    found = {
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "hit": usage.cached_tokens,
        "write": usage.cache_write_tokens,
        "cost": reported_cost(usage) or 0,
        "is_byok": usage.is_byok,
    }
    assert {name: found[name] for name in expected} == expected
    assert bool(contradictions(usage)) is warns


@pytest.mark.parametrize("microdollars", [pytest.param(525, id="response:V71")])
def test_a_completion_that_fills_in_the_middle_costs_what_its_price_says(microdollars: int) -> None:
    """There is no route for them here; a model with that price, 0.3 and 0.9 µ$ a token, costs the same."""
    price = Price("fim/1", datetime(2026, 1, 1, tzinfo=UTC), Decimal("0.0000003"), Decimal("0.0000009"))
    assert list_cost(Usage(1_000, 250), price) == microdollars
