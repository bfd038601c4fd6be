from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.tool_call_ids import MISTRAL_ID_CHARS, has_dot, has_other_length, normalise_tool_call_ids
from tollway.wire.tool_repair import repair_tools
from unit.wire.conversations import CONVERSATIONS, ODD

RULES = st.sampled_from([(has_dot, None), (has_other_length, MISTRAL_ID_CHARS)])


def ids_of(messages: list[dict[str, Any]]) -> list[Any]:
    """All ids in order, those of calls and those of results."""
    found = []
    for message in messages:
        if message.get("role") == "assistant" and isinstance(message.get("tool_calls"), list):
            found += [call.get("id") for call in message["tool_calls"] if isinstance(call, dict)]
        if message.get("role") == "tool":
            found.append(message.get("tool_call_id"))
    return found


@given(CONVERSATIONS, RULES)
def test_pairs_stay_matched(messages: list[dict[str, Any]], rule: Any) -> None:
    """Two ids are equal afterwards exactly if they were before, so what was whole is whole."""
    before, after = ids_of(messages), ids_of(normalise_tool_call_ids(messages, *rule))
    assert [[one == other for other in before] for one in before] == [
        [one == other for other in after] for one in after
    ]
    repaired, _ = repair_tools(messages)
    assert repair_tools(normalise_tool_call_ids(repaired, *rule))[1] is None


@given(CONVERSATIONS, RULES)
def test_afterwards_no_id_is_left_and_again_there_is_nothing_to_do(messages: list[dict[str, Any]], rule: Any) -> None:
    before = deepcopy(messages)
    changed = normalise_tool_call_ids(messages, *rule)
    assert repr(messages) == repr(before)
    applies, _ = rule
    assert (changed is messages) == (not any(isinstance(one, str) and applies(one) for one in ids_of(messages)))
    assert not any(isinstance(one, str) and applies(one) for one in ids_of(changed))
    assert normalise_tool_call_ids(changed, *rule) is changed


@given(CONVERSATIONS, RULES)
def test_nothing_else_is_touched(messages: list[dict[str, Any]], rule: Any) -> None:
    def without_ids(of: list[dict[str, Any]]) -> str:
        bare = deepcopy(of)
        for message in bare:
            if message.get("role") == "tool":
                message.pop("tool_call_id", None)
            calls = message.get("tool_calls") if message.get("role") == "assistant" else None
            for call in calls if isinstance(calls, list) else ():
                if isinstance(call, dict):
                    call.pop("id", None)
        return repr(bare)

    assert without_ids(normalise_tool_call_ids(messages, *rule)) == without_ids(messages)


@given(ODD)
def test_what_is_no_list_is_left_alone(messages: object) -> None:
    if not isinstance(messages, list):
        assert normalise_tool_call_ids(messages, has_dot) is messages


@pytest.mark.parametrize(
    ("id_", "other"),
    [
        ("abc123XYZ", False),
        ("abc123XY", True),
        ("", True),
        ("ä23456789", False),
        ("😀3456789", False),
        ("😀23456789", True),
    ],
)
def test_length_is_counted_in_utf_16(id_: str, other: bool) -> None:
    assert has_other_length(id_) is other
