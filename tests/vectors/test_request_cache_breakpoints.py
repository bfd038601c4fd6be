"""Vectors of request-path, "Anthropic cache breakpoints", in the page's own notation, normative column.

S system, U user, A assistant, T tool; * means marked.
"""

from typing import Any

import pytest

from tollway.wire.cache_breakpoints import mark_cache_breakpoints

ROLES = {"S": "system", "U": "user", "A": "assistant", "T": "tool"}
MARK = {"cache_control": {"type": "ephemeral"}}


def conversation(text: str) -> list[dict[str, Any]]:
    return [
        {"role": ROLES[word[0]], "content": [{"type": "text", "text": "x", **MARK}] if word[1:] == "*" else "x"}
        for word in text.split()
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("U", "U", id="request:CB1"),
        pytest.param("S U", "S* U*", id="request:CB2"),
        pytest.param("S U A U", "S* U A U*", id="request:CB3"),
        pytest.param("S U A T", "S* U A T*", id="request:CB4"),
        pytest.param("S U U", "S* U U*", id="request:CB5"),
        pytest.param("S U A", "S* U* A", id="request:CB6"),
        pytest.param("S U A T A U", "S* U A T A U*", id="request:CB7"),
        pytest.param("S A", "S* A", id="request:CB8"),
        pytest.param("U S U", "U S* U*", id="request:CB9"),
    ],
)
def test_which_messages_are_marked(before: str, after: str) -> None:
    assert mark_cache_breakpoints(conversation(before)) == conversation(after)


@pytest.mark.parametrize(
    "systems",
    [
        pytest.param(
            [
                {"role": "system", "content": "x", **MARK},
                {"role": "system", "content": [{"type": "text", "text": "x", **MARK}, {"type": "text", "text": "y"}]},
            ],
            id="request:CB10",
        )
    ],
)
def test_clients_that_mark_know_better(systems: list[dict[str, Any]]) -> None:
    for system in systems:
        messages = [system, {"role": "user", "content": "x"}]
        assert mark_cache_breakpoints(messages) is messages


@pytest.mark.parametrize(
    ("content", "marked"),
    [
        pytest.param(
            "x",
            [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
            id="request:CB11",
        )
    ],
)
def test_text_becomes_a_part(content: str, marked: list[dict[str, Any]]) -> None:
    assert mark_cache_breakpoints([{"role": "system", "content": content}]) == [{"role": "system", "content": marked}]


@pytest.mark.parametrize("parts", [pytest.param(2, id="request:CB12")])
def test_the_last_part_is_marked(parts: int) -> None:
    content = [{"type": "text", "text": f"part {number}"} for number in range(parts)]
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": content}]
    assert mark_cache_breakpoints(messages)[1]["content"] == [content[0], {**content[1], **MARK}]
