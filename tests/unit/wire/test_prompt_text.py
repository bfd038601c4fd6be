from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from tollway.wire.prompt_text import prompt_text_bytes

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def test_text_counts_in_bytes_wherever_it_is() -> None:
    messages = [
        {"content": "abcd"},
        {"content": [{"text": "äöü"}, {"refusal": "no"}]},
        {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}], "content": None},
    ]
    tools = [{"function": {"name": "g", "parameters": {"type": "object"}}}]
    assert prompt_text_bytes({"messages": messages, "tools": tools, "user": "not me"}) == 4 + 6 + 2 + 1 + 2 + 1 + 6


def test_files_are_not_text() -> None:
    parts = [
        {"image_url": {"url": "data:image/png;base64," + "A" * 10_000}},
        {"input_audio": {"data": "A" * 10_000}},
        {"file": {"file_data": "A" * 10_000}},
        {"text": "look"},
    ]
    assert prompt_text_bytes({"messages": [{"content": parts}]}) == 4


def test_nothing_to_say() -> None:
    assert prompt_text_bytes({}) == 0
    assert prompt_text_bytes({"messages": None, "tools": 3}) == 0


@given(values, values)
def test_never_more_than_the_json_it_came_in(messages: Any, tools: Any) -> None:
    assert prompt_text_bytes({"messages": messages, "tools": tools}) <= len(encode([messages, tools]))
