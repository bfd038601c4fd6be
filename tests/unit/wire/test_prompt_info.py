import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.json_body import JsonObject
from tollway.wire.prompt_info import (
    UNREADABLE,
    PromptInfo,
    estimate_tokens,
    has_middle_out,
    has_tools,
    is_streaming,
    max_tokens,
    prompt_info,
    prompt_texts,
    utf16_length,
    utf16_prefix,
)

TALK: JsonObject = {
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "x" * 300},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "text", "text": "y" * 300}]},
    ]
}
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
MESSAGES = st.dictionaries(
    st.sampled_from(["role", "content", "type", "text"]),
    st.one_of(LEAVES, st.lists(st.one_of(LEAVES, st.dictionaries(st.sampled_from(["type", "text"]), LEAVES)))),
)


def test_prefixes_only_for_those_who_want_them() -> None:
    assert prompt_info(TALK, has_prefixes=True) == PromptInfo("be brief", 8, "y" * 100)
    assert prompt_info(TALK, has_prefixes=False) == PromptInfo("", 8, "")


@pytest.mark.parametrize("body", [{}, {"messages": "hi"}, {"messages": [1]}])
def test_messages_that_cannot_be_read(body: JsonObject) -> None:
    assert prompt_info(body, has_prefixes=True) == UNREADABLE
    assert estimate_tokens(body) == 0


def test_nobody_spoke() -> None:
    assert prompt_info({"messages": []}, has_prefixes=True) == PromptInfo("", 0, "")


def test_a_part_without_text_counts_as_empty() -> None:
    assert estimate_tokens({"messages": [{"content": [{"type": "text"}, {"type": "text", "text": None}]}]}) == 0.5


def test_half_a_pair_may_be_left() -> None:
    assert utf16_prefix("a" * 99 + "\U0001f600", 100) == "a" * 99 + "\ud83d"


@given(st.text(), st.integers(0, 20))
def test_units_are_those_of_utf_16(text: str, units: int) -> None:
    assert utf16_length(text) == len(text) + sum(character > "\uffff" for character in text)
    prefix = utf16_prefix(text, units)
    assert utf16_length(prefix) == min(units, utf16_length(text))
    assert text.encode("utf-16-le").startswith(prefix.encode("utf-16-le", "surrogatepass"))


@given(st.one_of(LEAVES, st.lists(st.one_of(LEAVES, MESSAGES), max_size=5)))
def test_nothing_that_callers_send_is_too_much(messages: object) -> None:
    body = {"messages": messages}
    info = prompt_info(body, has_prefixes=True)
    assert info.system_length >= -1
    assert utf16_length(info.user_prefix) <= 100
    assert estimate_tokens(body) >= 0


def test_other_wishes() -> None:
    assert [has_tools({"tools": tools}) for tools in ([], [{}], None)] == [False, True, False]
    assert not has_middle_out({"transforms": "middle-out"})
    assert is_streaming({"stream": True})


def test_whole_texts() -> None:
    assert prompt_texts(TALK) == ("y" * 300, "be brief")
    more = [{"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    assert prompt_texts({"messages": [*TALK["messages"], *more]}) == ("y" * 300, "be brief\na\nb")


@pytest.mark.parametrize("body", [{}, {"messages": "hi"}, {"messages": []}, {"messages": [1]}])
def test_texts_that_are_not_there(body: JsonObject) -> None:
    assert prompt_texts(body) == (None, None)


@given(st.fixed_dictionaries({"messages": st.one_of(LEAVES, st.lists(st.one_of(LEAVES, MESSAGES)))}))
def test_texts_never_raise(body: JsonObject) -> None:
    prompt_texts(body)


@pytest.mark.parametrize(
    ("written", "expected"),
    [(7, 7), (7.0, 7), (0, 0), (7.5, None), (True, None), ("7", None), (None, None), (2**63, None)],
)
def test_tokens_as_they_were_written(written: object, expected: int | None) -> None:
    assert max_tokens({"max_tokens": written}) == expected
    assert max_tokens({}) is None
