"""Usage texts: true by default, and wrong in exactly the way that was asked for."""

import json

import pytest

from tollway.sim.control import Control, UsageMode
from tollway.sim.models import MODELS, Tally
from tollway.sim.usage import usage_text

TALLY = Tally(prompt=10, cached=4, completion=6, reasoning=2)
MODEL = MODELS["sim/story"]


def test_the_truth() -> None:
    assert json.loads(usage_text(MODEL, TALLY, Control()), parse_float=str) == {
        "prompt_tokens": 10,
        "completion_tokens": 6,
        "total_tokens": 16,
        "cost": "0.0000122",
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "cost_details": {"upstream_inference_cost": "0.0000122"},
    }


def test_a_given_cost_is_verbatim() -> None:
    assert '"cost":1.50e-7,' in usage_text(MODEL, TALLY, Control(cost="1.50e-7"))
    assert '"cost":"much",' in usage_text(MODEL, TALLY, Control(cost='"much"', usage=UsageMode.NEGATIVE))


@pytest.mark.parametrize(
    ("mode", "tokens", "cost"),
    [
        (UsageMode.NEGATIVE, "-10", "-0.0000122"),
        (UsageMode.FLOAT, "10.5", "0.0000122"),
        (UsageMode.STRING, '"10"', '"0.0000122"'),
        (UsageMode.HUGE, "1" + "0" * 31, "1" + "0" * 38),
        (UsageMode.EVERY, "10", "0.0000122"),
    ],
)
def test_the_lies(mode: UsageMode, tokens: str, cost: str) -> None:
    text = usage_text(MODEL, TALLY, Control(usage=mode))
    json.loads(text)
    assert text.startswith(f'{{"prompt_tokens":{tokens},')
    assert f'"cost":{cost},' in text


def test_null() -> None:
    assert usage_text(MODEL, TALLY, Control(usage=UsageMode.NULL)) == "null"
