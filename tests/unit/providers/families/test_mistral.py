from typing import Any

import pytest

from tollway.providers.families.mistral import RULES, leave_strictness, rename_calls, set_temperature
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt


@pytest.mark.parametrize("temperature", [None, 0, 0.0, 1, "x"])
def test_whatever_was_said_stays(temperature: Any) -> None:
    draft = Draft({"temperature": temperature})
    assert set_temperature(draft, attempt()) is draft


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f"}},
        {"type": "function", "strict": True},
        {"type": "custom", "function": {"strict": True}},
        {"type": "function", "function": "strict"},
        {},
        None,
    ],
)
def test_other_tools_stay(tool: Any) -> None:
    draft = Draft({"tools": [tool]})
    assert leave_strictness(draft, attempt()) is draft


@pytest.mark.parametrize("strict", [True, False, None])
def test_strictness_goes_whatever_it_says(strict: bool | None) -> None:
    tool = {"type": "function", "function": {"strict": strict, "name": "f"}}
    assert leave_strictness(Draft({"tools": [tool, 5]}), attempt()).body == {
        "tools": [{"type": "function", "function": {"name": "f"}}, 5]
    }
    assert "strict" in tool["function"]


def test_ids_of_calls_have_nine_characters() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "call_12345", "function": {"name": "f"}}]}
    body = {"messages": [call, {"role": "tool", "tool_call_id": "call_12345", "content": "r"}]}
    draft = rename_calls(Draft(body), attempt())
    first, second = draft.body["messages"]
    assert first["tool_calls"][0]["id"] == second["tool_call_id"]
    assert len(second["tool_call_id"]) == 9
    assert rename_calls in RULES
    assert rename_calls(draft, attempt()) is draft
