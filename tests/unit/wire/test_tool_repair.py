from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.tool_repair import INTERRUPTED, NAME_CHARS_MAX, NAMED_MAX, Changes, NamedCall, repair_tools
from unit.wire.conversations import CONVERSATIONS, ODD


def call(id_: object, name: str = "read_file") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": "{}"}}


def result(id_: object, content: str = "done", **more: object) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content, **more}


def assistant(*calls: object) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(calls)}


USER = {"role": "user", "content": "hi"}


def turns(messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = [[]]
    for message in messages:
        if message.get("role") == "assistant":
            found.append([])
        found[-1].append(message)
    return found


def ids_of(turn: list[dict[str, Any]]) -> list[Any]:
    """The ids that a result could name, of the calls of a turn."""
    calls = turn[0].get("tool_calls") if turn and turn[0].get("role") == "assistant" else None
    ids = [one.get("id") for one in calls if isinstance(one, dict)] if isinstance(calls, list) else []
    return [one for one in ids if isinstance(one, str | int | float) and not isinstance(one, bool)]


@given(CONVERSATIONS)
def test_afterwards_every_call_has_one_result_and_no_result_is_an_orphan(messages: list[dict[str, Any]]) -> None:
    for turn in turns(repair_tools(messages)[0]):
        answered = [message.get("tool_call_id") for message in turn if message.get("role") == "tool"]
        calls = ids_of(turn)
        assert len(set(calls)) == len(calls)
        assert sorted(map(repr, map(_one_spelling, answered))) == sorted(map(repr, map(_one_spelling, calls)))


def _one_spelling(id_: Any) -> Any:
    """1 and 1.0 are one number."""
    return float(id_) if isinstance(id_, int) else id_


@given(CONVERSATIONS)
def test_it_is_idempotent_and_changes_nothing_in_place(messages: list[dict[str, Any]]) -> None:
    before = deepcopy(messages)
    repaired, repair = repair_tools(messages)
    assert repr(messages) == repr(before)
    assert (repaired is messages) == (repair is None)
    assert repair_tools(repaired) == (repaired, None)
    assert repair_tools(repaired)[0] is repaired


@given(CONVERSATIONS)
def test_it_says_all_that_it_changed(messages: list[dict[str, Any]]) -> None:
    repaired, repair = repair_tools(messages)
    if repair is None:
        return
    assert repair.removed_calls.count or repair.inserted_results.count or repair.deleted_results.count
    assert len(repaired) - len(messages) == repair.inserted_results.count - repair.deleted_results.count

    def calls(of: list[dict[str, Any]]) -> int:
        return sum(len(ids_of(turn)) for turn in turns(of))

    assert calls(messages) - calls(repaired) == repair.removed_calls.count


@given(CONVERSATIONS)
def test_what_is_no_result_keeps_its_place(messages: list[dict[str, Any]]) -> None:
    """Neither moved nor touched, but for the calls of an assistant message; and a result never overtakes another."""

    def others(of: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**one, "tool_calls": None} for one in of if one.get("role") != "tool"]

    repaired, _ = repair_tools(messages)
    assert others(repaired) == others(messages)
    created = [one for one in repaired if one.get("content") == INTERRUPTED]
    places = [next(at for at, one in enumerate(messages) if one is kept) for kept in repaired if _is_in(kept, messages)]
    assert places == sorted(places)
    changed = [one for one in repaired if not _is_in(one, messages) and one.get("role") == "tool"]
    assert changed == created


def _is_in(message: dict[str, Any], messages: list[dict[str, Any]]) -> bool:
    return any(one is message for one in messages)


@given(ODD)
def test_what_is_no_list_is_left_alone(messages: object) -> None:
    if not isinstance(messages, list):
        assert repair_tools(messages) == (messages, None)


@pytest.mark.parametrize("other", [{"id": None}, {"id": True}, {"id": ["c1"]}, {}, None, "c1", 3])
def test_a_call_that_no_result_can_name_is_left_alone(other: object) -> None:
    messages = [assistant(other, call("c1"), other), result("c1")]
    assert repair_tools(messages) == (messages, None)


@pytest.mark.parametrize("id_", [None, True, ["c1"], {}])
def test_a_result_without_an_id_is_dropped(id_: object) -> None:
    nameless = {"role": "tool", "content": "x"}
    assert repair_tools([assistant(call("c1")), result(id_), nameless, result("c1")])[0] == [
        assistant(call("c1")),
        result("c1"),
    ]


def test_numbers_pair_too_but_not_with_texts() -> None:
    messages = [assistant(call(1), call("2")), result(1), result("2")]
    assert repair_tools(messages) == (messages, None)
    assert repair_tools([assistant(call(1)), result("1")])[0] == [assistant(call(1)), result(1, INTERRUPTED)]


def test_the_first_of_several_calls_is_the_one_that_stays() -> None:
    repaired, repair = repair_tools([assistant(call("c1", "a"), call("c1", "b")), result("c1")])
    assert repaired == [assistant(call("c1", "a")), result("c1")]
    assert repair
    assert repair.removed_calls == Changes(1, [NamedCall("b", "c1")])


def test_no_calls_stay_no_calls() -> None:
    messages: list[dict[str, Any]] = [assistant(), USER]
    assert repair_tools(messages)[0] is messages


def test_names_come_from_wherever_they_are_known() -> None:
    """A late result has the name of its call, others what the client wrote."""
    messages = [assistant(call("c1", "search")), USER, assistant(), result("c1"), result("x", name="own"), result("y")]
    _, repair = repair_tools(messages)
    assert repair
    assert repair.inserted_results == Changes(1, [NamedCall("search", "c1")])
    assert repair.deleted_results.first == [NamedCall("search", "c1"), NamedCall("own", "x"), NamedCall("", "y")]


@given(st.integers(NAMED_MAX, NAMED_MAX + 3))
def test_the_log_stays_short_and_without_contents(calls: int) -> None:
    made = [call(f"c{number}-{'x' * 100}", "t" * 100) for number in range(calls)]
    _, repair = repair_tools([assistant(*made), result("o", "secret")])
    assert repair
    assert repair.inserted_results.count == calls
    assert len(repair.inserted_results.first) == NAMED_MAX
    assert all(len(one.tool) == len(one.id) == NAME_CHARS_MAX for one in repair.inserted_results.first)
    assert "secret" not in repr(repair)
