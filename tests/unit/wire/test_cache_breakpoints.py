from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from tollway.wire.cache_breakpoints import mark_cache_breakpoints
from unit.wire.conversations import CONVERSATIONS, ODD

MARK = {"type": "ephemeral"}
SYSTEM = {"role": "system", "content": "s"}


def marks(message: dict[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("cache_control") is not None for part in parts)


@given(CONVERSATIONS)
def test_it_is_idempotent_and_changes_nothing_in_place(messages: list[dict[str, Any]]) -> None:
    before = deepcopy(messages)
    marked = mark_cache_breakpoints(messages)
    assert repr(messages) == repr(before)
    assert mark_cache_breakpoints(marked) is marked
    assert (marked is messages) == (repr(marked) == repr(messages))


@given(CONVERSATIONS)
def test_at_most_two_marks_more_and_all_else_as_it_was(messages: list[dict[str, Any]]) -> None:
    marked = mark_cache_breakpoints(messages)
    changed = [(one, other) for one, other in zip(messages, marked, strict=True) if one is not other]
    assert len(changed) <= 2
    for one, other in changed:
        assert other.get("role") in ("system", "user", "tool")
        assert marks(other) == marks(one) + 1
        assert {**other, "content": None} == {**one, "content": None}
        assert _text(other["content"]) == _text(one["content"])


def _text(content: Any) -> Any:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{**part, "cache_control": None} if isinstance(part, dict) else part for part in parts]


@given(ODD)
def test_what_is_no_list_is_left_alone(messages: object) -> None:
    if not isinstance(messages, list):
        assert mark_cache_breakpoints(messages) is messages


@pytest.mark.parametrize("content", [None, [], 3, {}, ["text"], [{"type": "text"}, None]])
def test_content_without_a_part_to_mark_is_left_alone(content: object) -> None:
    messages = [SYSTEM, {"role": "user", "content": content}]
    marked = mark_cache_breakpoints(messages)
    assert marked[0]["content"] == [{"type": "text", "text": "s", "cache_control": MARK}]
    assert marked[1] is messages[1]


def test_a_message_without_content_is_left_alone() -> None:
    messages = [{"role": "system"}, {"role": "user"}]
    assert mark_cache_breakpoints(messages) is messages


def test_a_longer_life_that_the_client_asked_for_stays() -> None:
    lasting = {"type": "text", "text": "u", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [SYSTEM, {"role": "user", "content": [lasting]}]
    assert mark_cache_breakpoints(messages)[1] is messages[1]


def test_only_the_first_system_message_decides() -> None:
    second = {"role": "system", "content": [{"type": "text", "text": "x", "cache_control": MARK}]}
    marked = mark_cache_breakpoints([SYSTEM, second])
    assert marks(marked[0]) == 1
    assert marked[1] is second
