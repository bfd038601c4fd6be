"""Events as lines of JSON."""

import json
from decimal import Decimal

from tollway.client.run_events import event, step_finish
from tollway.client.spending import NOTHING_SAID, CostSource, Spent, Tokens


def test_an_event_is_one_line() -> None:
    line = event("text", text="a\nb\u2028")
    assert "\n" not in line
    assert json.loads(line) == {"type": "text", "text": "a\nb\u2028"}


def test_money_keeps_its_digits() -> None:
    line = step_finish("stop", Spent(Tokens(1, 1), Decimal("0.10000000000000000001"), CostSource.GATEWAY))
    assert '"cost":0.10000000000000000001' in line
    assert json.loads(line)["tokens"] == {
        "total": 1,
        "input": 1,
        "output": 0,
        "reasoning": 0,
        "cache": {"read": 0, "write": 0},
    }


def test_what_is_unknown_is_null() -> None:
    told = json.loads(step_finish("interrupted", NOTHING_SAID, 7))
    assert (told["cost"], told["tokens"], told["output_tokens_min"]) == (None, None, 7)
