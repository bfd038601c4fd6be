"""Random conversations: likely and odd ones, with few ids so that they meet often."""

from typing import Any

from hypothesis import strategies as st

ODD: st.SearchStrategy[Any] = st.sampled_from([None, True, False, "", "c1", 1, 1.0, 2.5, [], ["x"], {}, {"id": "c1"}])
LIKELY_IDS = st.sampled_from(["c1", "c2", "c.3", "call_abc123", "abc123XYZ"])
IDS: st.SearchStrategy[Any] = LIKELY_IDS | ODD
TEXT_PARTS = st.fixed_dictionaries(
    {"type": st.just("text"), "text": st.sampled_from(["a", "b"])},
    optional={"cache_control": st.sampled_from([{"type": "ephemeral", "ttl": "1h"}, None])},
)
FUNCTION = st.just({"name": "read_file", "arguments": "{}"})
CALLS = st.fixed_dictionaries({"id": LIKELY_IDS, "type": st.just("function"), "function": FUNCTION})
ODD_CALLS = st.fixed_dictionaries({}, optional={"id": IDS, "function": FUNCTION | ODD}) | ODD
MESSAGES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"role": st.just("assistant"), "tool_calls": st.lists(CALLS, max_size=3)}),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": LIKELY_IDS, "content": st.just("done")}),
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": st.just("text")}),
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["system", "user", "assistant", "tool"]) | ODD,
            "content": st.lists(TEXT_PARTS | ODD, max_size=3) | ODD,
            "tool_calls": st.lists(CALLS | ODD_CALLS, max_size=4) | ODD,
            "tool_call_id": IDS,
            "name": ODD,
        },
    ),
)


@st.composite
def edited(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A whole conversation of which one message was moved or left out."""
    messages: list[dict[str, Any]] = []
    for ids in draw(st.lists(st.lists(LIKELY_IDS, max_size=2, unique=True), min_size=1, max_size=3)):
        calls = [{"id": one, "type": "function", "function": {"name": "read_file"}} for one in ids]
        messages += [{"role": "user", "content": "text"}, {"role": "assistant", "tool_calls": calls}]
        messages += [{"role": "tool", "tool_call_id": one, "content": "done"} for one in ids]
    moved = messages.pop(draw(st.integers(0, len(messages) - 1)))
    if draw(st.booleans()):
        messages.insert(draw(st.integers(0, len(messages))), moved)
    return messages


CONVERSATIONS = st.lists(MESSAGES, max_size=8) | edited()
