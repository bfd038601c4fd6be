from typing import Any

import pytest

from tollway.providers.families.mistral import RULES
from tollway.providers.mistral import PROVIDER, leave_unknown
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt, run


def test_the_family_runs_once_and_last() -> None:
    assert PROVIDER.rules == (leave_unknown, *RULES)


@pytest.mark.parametrize("key", [None, "", 5, "a\r\nx-evil: 1", ["a"]])
def test_without_a_fitting_cache_key_there_is_no_header(key: Any) -> None:
    draft = leave_unknown(Draft({"prompt_cache_key": key}, {"x-a": "1"}), attempt())
    assert (draft.body, draft.headers) == ({}, {"x-a": "1"})


def test_details_of_reasoning_go() -> None:
    message = {"role": "assistant", "content": "x", "reasoning_details": [{}]}
    assert leave_unknown(Draft({"messages": [message, "odd"]}), attempt()).body == {
        "messages": [{"role": "assistant", "content": "x"}, "odd"]
    }
    assert "reasoning_details" in message


def test_what_it_knows_stays() -> None:
    body = {"messages": [{"role": "user", "content": "x", "reasoning": "kept"}], "tools": [], "seed": 1, "unknown": 2}
    sent = leave_unknown(Draft(body), attempt()).body
    assert sent is body
    assert run({"model": "a/b", "temperature": 1, **body}, "mistral").body == {"model": "a/b", "temperature": 1, **body}
