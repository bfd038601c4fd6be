"""Vectors of request-path, "Tool repair": conversations in the page's own notation.

U, U2 are user messages, A is an assistant message, A[x,y] one with calls, T(x) or T(x=text) a result, T(x*) a created
one.
"""

import re
from typing import Any

import pytest

from tollway.wire.tool_repair import repair_tools

CREATED = "Tool execution was interrupted before completion."


def conversation(text: str) -> list[dict[str, Any]]:
    return [_message(word) for word in text.split()]


def _message(word: str) -> dict[str, Any]:
    if word[0] == "U":
        return {"role": "user", "content": word}
    if word[0] == "A":
        ids = word[2:-1].split(",") if word[1:] else []
        calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
        return {"role": "assistant", "content": "a", **({"tool_calls": calls} if calls else {})}
    found = re.fullmatch(r"T\((\w+)(\*?)(?:=(\w+))?\)", word)
    assert found
    id_, created, content = found.groups()
    return {"role": "tool", "tool_call_id": id_, "content": CREATED if created else content or "done"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("U T(x)", "U", id="request:TR1"),
        pytest.param("U A[c1] T(c1=ok)", "U A[c1] T(c1=ok)", id="request:TR2"),
        pytest.param("U T(o1) T(o2) A", "U A", id="request:TR3"),
        pytest.param("U A[c1] U", "U A[c1] T(c1*) U", id="request:TR4"),
        pytest.param("U A[c1,c2] U", "U A[c1,c2] T(c1*) T(c2*) U", id="request:TR5"),
        pytest.param("U A[c1,c2] T(c1=ok) U", "U A[c1,c2] T(c2*) T(c1=ok) U", id="request:TR6"),
        pytest.param("U A[c1] U A[c2]", "U A[c1] T(c1*) U A[c2] T(c2*)", id="request:TR7"),
        pytest.param("U T(o) A[c1] U", "U A[c1] T(c1*) U", id="request:TR8"),
        pytest.param("U A[c1] T(c1=1) U A[c1] T(c1=2)", "U A[c1] T(c1=1) U A[c1] T(c1=2)", id="request:TR9"),
        pytest.param("U A[c1,c1] T(c1)", "U A[c1] T(c1)", id="request:TR10"),
        pytest.param("U A[c1] T(c1=1st) T(c1=2nd)", "U A[c1] T(c1=1st)", id="request:TR11"),
        pytest.param("U A[c1,c2,c1,c2] T(c1) T(c2)", "U A[c1,c2] T(c1) T(c2)", id="request:TR12"),
        pytest.param("U A[c1] U2 T(c1=late)", "U A[c1] U2 T(c1=late)", id="request:TR13"),
        pytest.param("U A[c1] A T(c1=late)", "U A[c1] T(c1*) A", id="request:TR14"),
        pytest.param("A T(c9)", "A", id="request:TR15"),
        pytest.param("U A[c1,c2] T(c2) T(zz) T(c1)", "U A[c1,c2] T(c2) T(c1)", id="request:TR16"),
    ],
)
def test_conversations(before: str, after: str) -> None:
    given = conversation(before)
    repaired, repair = repair_tools(given)
    assert repaired == conversation(after)
    assert (repair is None) == (before == after) == (repaired is given)


@pytest.mark.parametrize("messages", [pytest.param([[], None], id="request:TR17")])
def test_nothing_to_repair(messages: list[Any]) -> None:
    for one in messages:
        assert repair_tools(one) == (one, None)


@pytest.mark.parametrize(
    "created",
    [
        pytest.param(
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": "Tool execution was interrupted before completion.",
            },
            id="request:TR18",
        )
    ],
)
def test_the_created_result(created: dict[str, str]) -> None:
    assert repair_tools(conversation("A[c1]"))[0][1] == created
