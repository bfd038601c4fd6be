from typing import Any

import pytest

from tollway.providers.rule import Draft
from tollway.providers.tool_choice import is_function, reasons, require_tool, require_tool_unless_reasoning
from unit.providers.attempts import attempt

WANTED = {"type": "function", "function": {"name": "attempt_completion"}}
OTHER = {"type": "function", "function": {"name": "other"}}


@pytest.mark.parametrize(
    "tools",
    [
        None,
        [],
        "attempt_completion",
        [OTHER],
        [5, None, "attempt_completion", {}],
        [{"type": "custom", "function": {"name": "attempt_completion"}}],
        [{"type": "function", "name": "attempt_completion"}],
        [{"type": "function", "function": "attempt_completion"}],
    ],
)
def test_without_the_tool_nothing_is_required(tools: Any) -> None:
    draft = Draft({"tools": tools, "tool_choice": "auto"})
    assert require_tool(draft, attempt()) is draft
    bare = Draft({})
    assert require_tool(bare, attempt()) is bare


@pytest.mark.parametrize("tools", [[WANTED], [5, OTHER, WANTED], [WANTED, OTHER]])
def test_with_it_a_tool_is_required(tools: list[Any]) -> None:
    for choice in ({}, {"tool_choice": "none"}, {"tool_choice": {"type": "function"}}):
        assert require_tool(Draft({"tools": tools, **choice}), attempt()).body["tool_choice"] == "required"


@pytest.mark.parametrize(
    ("reasoning", "on"),
    [
        (None, False),
        ("high", False),
        ([], False),
        ({}, False),
        ({"enabled": True}, True),
        ({"enabled": False}, False),
        ({"enabled": 1}, False),
        ({"enabled": "true"}, False),
        ({"effort": "none"}, False),
        ({"effort": None}, False),
        ({"effort": "low"}, True),
        ({"max_tokens": 0}, False),
        ({"max_tokens": -1}, False),
        ({"max_tokens": 1}, True),
        ({"max_tokens": 0.5}, True),
        ({"max_tokens": True}, False),
        ({"max_tokens": "1"}, False),
        ({"enabled": False, "effort": "none", "max_tokens": 1}, True),
    ],
)
def test_whether_it_reasons(reasoning: Any, on: bool) -> None:
    body = {"reasoning": reasoning, "tools": [WANTED]}
    assert reasons(body) is on
    assert ("tool_choice" in require_tool_unless_reasoning(Draft(body), attempt()).body) is not on
    assert not reasons({"reasoning_effort": "high"})


def test_functions_have_one_name() -> None:
    assert is_function(WANTED, "attempt_completion")
    assert not is_function(WANTED, "attempt")
