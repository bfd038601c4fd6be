from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.tool_names import NAME_CHARS_MAX, NAMES_MAX, tools_available, tools_used


def function(name: object) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        (function("read"), "function:read"),
        (function("\u00a0 read\n"), "function:read"),
        (function("a\0b"), "function:ab"),
        (function("x" * 999), "function:" + "x" * NAME_CHARS_MAX),
        (function(""), "function:unknown"),
        (function(7), "function:unknown"),
        ({"type": "function"}, "function:unknown"),
        ({"type": "function", "function": "read"}, "function:unknown"),
        ({"type": "custom", "custom": {"name": "x"}}, "custom:x"),
        ({"type": "custom", "function": {"name": "x"}}, "custom:unknown"),
        ({"type": "web_search"}, "unknown:unknown"),
        ({"type": ["function"]}, "unknown:unknown"),
        ({"function": {"name": "x"}}, "unknown:unknown"),
        ("read", "unknown:unknown"),
        (None, "unknown:unknown"),
    ],
)
def test_a_name(tool: object, name: str) -> None:
    assert tools_available([tool]) == (name,)
    assert tools_used([{"role": "assistant", "tool_calls": [tool]}]) == (name,)


def test_order_and_repetitions_stay() -> None:
    assert tools_available([function("b"), function("a"), function("b")]) == ("function:b", "function:a", "function:b")


def test_only_what_an_assistant_called_was_used() -> None:
    calls = [function("a")]
    history = [
        {"role": "user", "tool_calls": calls},
        {"role": "assistant", "tool_calls": calls},
        {"role": "assistant", "tool_calls": "a"},
        {"role": "assistant", "content": "no call"},
        {"role": "assistant", "tool_calls": [*calls, *calls]},
    ]
    assert tools_used(history) == ("function:a",) * 3


@pytest.mark.parametrize("nothing", [None, "tools", {}, [], 7])
def test_nothing_is_nothing(nothing: object) -> None:
    assert (tools_available(nothing), tools_used(nothing)) == ((), ())


def test_there_is_an_end() -> None:
    many = [function("a")] * (NAMES_MAX + 1)
    assert len(tools_available(many)) == NAMES_MAX
    message = {"role": "assistant", "tool_calls": [function("a")] * 600}
    assert len(tools_used([message] * 3)) == NAMES_MAX


_leaves = st.none() | st.text() | st.integers() | st.sampled_from(["function", "custom"])
_tools = st.recursive(
    _leaves, lambda inner: st.dictionaries(st.sampled_from(["type", "function", "custom", "name"]), inner)
)


@given(st.lists(_tools, max_size=5))
def test_whatever_is_sent_has_a_name(tools: list[Any]) -> None:
    names = tools_available(tools)
    assert len(names) == len(tools)
    assert all(name.partition(":")[0] in ("function", "custom", "unknown") and name.partition(":")[2] for name in names)
