from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from tollway.wire.dialects.conversation import arguments_object, messages_of, tool_calls_of
from tollway.wire.dialects.refusal import RefusedError
from unit.wire.conversations import CONVERSATIONS

CALL = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "x"}
USER = {"role": "user", "content": "u"}


def test_roles() -> None:
    developer = {"role": "developer", "content": "d"}
    assert messages_of({"messages": [developer, USER]}) == [("system", developer), ("user", USER)]
    assert messages_of({}) == messages_of({"messages": None}) == []


@pytest.mark.parametrize("role", ["function", "", None, 1, ["user"]])
def test_a_role_that_nobody_knows(role: Any) -> None:
    with pytest.raises(RefusedError, match="Unsupported message role"):
        messages_of({"messages": [{"role": role}]})


@pytest.mark.parametrize("messages", [[CALL], [CALL, USER, RESULT], [CALL, {"role": "system"}, RESULT]])
def test_a_call_without_a_result(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(RefusedError, match="A tool call has no result"):
        messages_of({"messages": messages})


@given(CONVERSATIONS)
def test_whatever_is_said_is_read_or_refused(messages: list[dict[str, Any]]) -> None:
    with suppress(RefusedError):
        assert len(messages_of({"messages": messages})) == len(messages)


def test_calls() -> None:
    calls = [None, {}, {"function": "f"}, {"id": 5, "function": {"name": "f", "arguments": "{}"}}, {"function": {}}]
    assert list(tool_calls_of({"tool_calls": calls})) == [("5", "f", "{}"), ("", "", None)]
    assert list(tool_calls_of({"tool_calls": "x"})) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a":[1]}', {"a": [1]}),
        ("", {}),
        (" ", {}),
        (None, {}),
        ({"a": 1}, {"a": 1}),
        ("[1]", {"raw_arguments": "[1]"}),
        ("{bad", {"raw_arguments": "{bad"}),
        ("[" * 100_000, {"raw_arguments": "[" * 100_000}),
    ],
)
def test_arguments(arguments: Any, expected: dict[str, Any]) -> None:
    assert arguments_object(arguments) == expected
