import copy
from typing import Any

import pytest

from tollway.catalog.preset import HostedModel
from tollway.providers.gigapotato import add_to_system, say_whether_to_think
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt

PART = {"type": "text", "text": "N"}
HOSTED = HostedModel("p", "q", "gigapotato", 1, 1, system_addition="N")
USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("", [PART]),
        (None, [PART]),
        ([{"type": "text", "text": "a"}], [{"type": "text", "text": "a"}, PART]),
        ("a", [{"type": "text", "text": "a"}, PART]),
    ],
)
def test_the_first_system_message_has_it(content: Any, sent: list[Any]) -> None:
    last = {"role": "system", "content": "last"}
    messages = [USER, {"role": "system", "content": content, "name": "n"}, last]
    before = copy.deepcopy(messages)
    body = add_to_system(Draft({"messages": messages}), attempt(hosted=HOSTED)).body
    assert body == {"messages": [USER, {"role": "system", "content": sent, "name": "n"}, last]}
    assert messages == before


def test_a_message_without_content() -> None:
    body = add_to_system(Draft({"messages": [{"role": "system"}]}), attempt(hosted=HOSTED)).body
    assert body["messages"] == [{"role": "system", "content": [PART]}]


def test_no_messages() -> None:
    assert add_to_system(Draft({"messages": []}), attempt(hosted=HOSTED)).body["messages"] == [
        {"role": "system", "content": [PART]}
    ]
    bare = Draft({})
    assert add_to_system(bare, attempt(hosted=HOSTED)) is bare


def test_without_a_text_nothing_is_added() -> None:
    draft = Draft({"messages": [USER]})
    assert add_to_system(draft, attempt(hosted=HostedModel("p", "q", "gigapotato", 1, 1))) is draft
    assert add_to_system(draft, attempt()) is draft


@pytest.mark.parametrize(("flags", "says"), [((), "disabled"), (("vision", "reasoning"), "enabled")])
def test_models_that_reason_think(flags: tuple[str, ...], says: str) -> None:
    hosted = HostedModel("p", "q", "gigapotato", 1, 1, flags=flags)
    assert say_whether_to_think(Draft({}), attempt(hosted=hosted)).body == {"thinking": {"type": says}}


def test_who_does_not_say_does_not_think() -> None:
    assert say_whether_to_think(Draft({"thinking": "x"}), attempt()).body == {"thinking": {"type": "disabled"}}
