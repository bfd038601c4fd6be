from typing import Any

import pytest

from tollway.wire.dialects.tools import FunctionTool, ToolChoice, function_tools, tool_choice


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": function}


def test_function_tools() -> None:
    schema = {"type": "object", "properties": {}}
    tools = [tool(name="a", description="d", parameters=schema, strict=False), tool(name="b", parameters=None)]
    assert function_tools({"tools": tools}) == [FunctionTool("a", "d", schema, False), FunctionTool("b")]
    assert FunctionTool("b").schema == {"type": "object"}
    assert FunctionTool("b", parameters={}).schema == {}


def test_of_two_with_one_name_the_last_counts() -> None:
    found = function_tools(
        {"tools": [tool(name="a", description="1"), tool(name="b"), tool(name="a", description="2")]}
    )
    assert [(one.name, one.description) for one in found] == [("a", "2"), ("b", None)]


@pytest.mark.parametrize(
    "odd",
    [None, "x", [None], [{"type": "web_search"}], [{"type": "function"}], [tool()], [tool(name="")], [tool(name=1)]],
)
def test_other_tools_are_left_out(odd: Any) -> None:
    assert function_tools({"tools": odd}) == []


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("required", "f")),
        ("sometimes", ToolChoice()),
        ({"type": "function"}, ToolChoice()),
        ({"type": "function", "function": {"name": 1}}, ToolChoice()),
        ({"type": "custom", "custom": {"name": "f"}}, ToolChoice()),
        (["none"], ToolChoice()),
    ],
)
def test_choices(choice: Any, expected: ToolChoice) -> None:
    assert tool_choice({"tool_choice": choice}) == expected
