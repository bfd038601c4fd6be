from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.anthropic_messages_to_chat import chat_messages
from tollway.wire.dialects.chat_messages_to_anthropic import AnthropicMessages
from tollway.wire.dialects.refusal import RefusedError
from unit.wire.conversations import ODD
from unit.wire.dialects.messages import in_chat_order, requests

MARK = {"cache_control": {"type": "ephemeral"}}


def chat(content: Any, role: str = "user") -> list[dict[str, Any]]:
    return chat_messages({"messages": [{"role": role, "content": content}]})


def source(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, "source": members}


@given(requests())
def test_there_and_back_nothing_is_lost(body: dict[str, Any]) -> None:
    """But for marks beyond the fourth, borders of texts, and the order of thinking, text and calls in one message."""
    back = AnthropicMessages()
    back.read({"messages": chat_messages(body)})
    marks_left = 4
    for message, returned in zip(body["messages"], back.messages, strict=True):
        assert returned["role"] == message["role"]
        expected = message["content"] if message["role"] == "user" else in_chat_order(message["content"])
        found = returned["content"] if message["role"] == "user" else in_chat_order(returned["content"])
        for block, one in zip(expected, found, strict=True):
            if "cache_control" in block and marks_left == 0:
                block = {name: value for name, value in block.items() if name != "cache_control"}
            marks_left -= "cache_control" in block
            if isinstance(block.get("content"), list) and not isinstance(one["content"], list):
                block = {**block, "content": "".join(part["text"] for part in block["content"])}
            assert one == block


SOURCES = st.fixed_dictionaries(
    {"type": st.sampled_from(["base64", "url", "text", "content"])}, optional={"data": ODD, "content": ODD}
)
BLOCKS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "document", "tool_result", "tool_use", "thinking"]) | ODD},
    optional={
        "text": ODD,
        "source": SOURCES | ODD,
        "content": ODD,
        "input": ODD,
        "thinking": ODD,
        "signature": ODD,
        "cache_control": ODD,
    },
)


@given(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]) | ODD, "content": st.lists(BLOCKS) | ODD}))
def test_whatever_is_said_is_read_or_refused(message: dict[str, Any]) -> None:
    before = repr(message)
    try:
        found = chat_messages({"system": message["content"], "messages": [message]})
    except RefusedError:
        found = []
    assert all(one["role"] in {"system", "user", "assistant", "tool"} for one in found)
    assert repr(message) == before


def test_a_plain_text() -> None:
    assert chat("a") == [{"role": "user", "content": "a"}]


def test_the_system() -> None:
    marked = {"type": "text", "text": "b", **MARK}
    assert chat_messages({"system": "s"}) == [{"role": "system", "content": "s"}]
    parts = [{"type": "text", "text": "a"}, marked]
    assert chat_messages({"system": parts}) == [{"role": "system", "content": parts}]
    assert chat_messages({"system": ""}) == chat_messages({"system": []}) == chat_messages({}) == []
    assert chat([{"type": "text", "text": "s"}], "system") == [{"role": "system", "content": "s"}]


def test_results_come_first() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
    assert chat([{"type": "text", "text": "a"}, result]) == [
        {"role": "tool", "tool_call_id": "t", "content": "r"},
        {"role": "user", "content": "a"},
    ]
    assert chat([result]) == [{"role": "tool", "tool_call_id": "t", "content": "r"}]


def test_the_mark_of_a_result_is_for_its_last_part() -> None:
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": texts, **MARK}
    assert chat([result])[0]["content"] == [texts[0], {**texts[1], **MARK}]
    assert chat([{**result, "content": "r"}])[0]["content"] == [{"type": "text", "text": "r", **MARK}]
    assert chat([{**result, "content": None}])[0]["content"] == ""


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            source("image", type="base64", media_type="image/png", data="AA=="),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ),
        (source("image", type="url", url="http://x"), {"type": "image_url", "image_url": {"url": "http://x"}}),
        (
            source("document", type="base64", media_type="application/pdf", data="AA=="),
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        ),
        (
            source("document", type="text", media_type="text/plain", data="é") | {"title": "t"},
            {"type": "file", "file": {"filename": "t", "file_data": "data:text/plain;base64,w6k="}},
        ),
        (
            source("document", type="url", url="http://x"),
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "http://x"}},
        ),
    ],
)
def test_parts(block: dict[str, Any], part: dict[str, Any]) -> None:
    assert chat([block | MARK]) == [{"role": "user", "content": [part | MARK]}]


def test_a_document_of_blocks_is_its_blocks() -> None:
    inner = [{"type": "text", "text": "a"}, source("image", type="url", url="http://x")]
    parts = chat([source("document", type="content", content=inner)])[0]["content"]
    assert [one["type"] for one in parts] == ["text", "image_url"]


@pytest.mark.parametrize(
    ("role", "block", "message"),
    [
        ("user", {"type": "search_result"}, "Unsupported content part: search_result"),
        ("user", {"type": "image"}, "Unsupported content part: image"),
        ("user", source("image", type="file", file_id="f"), "Unsupported image source: file"),
        ("user", source("document", type="file", file_id="f"), "Unsupported document source: file"),
        ("user", source("image", type="base64", data="AA=="), "A source has no media_type"),
        ("assistant", {"type": "server_tool_use"}, "Unsupported content part: server_tool_use"),
        ("wizard", {"type": "text", "text": "x"}, "Unsupported message role: wizard"),
    ],
)
def test_what_chat_cannot_say(role: str, block: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        chat([block], role)


def test_a_message_that_is_none() -> None:
    with pytest.raises(RefusedError):
        chat_messages({"messages": ["x"]})


def test_what_an_assistant_said() -> None:
    content = [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "thinking", "thinking": "of another model", "signature": ""},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    assert chat(content, "assistant") == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0, "format": "anthropic-claude-v1"},
                {"type": "reasoning.text", "text": "of another model", "index": 1},
                {"type": "reasoning.encrypted", "data": "d", "index": 2, "format": "anthropic-claude-v1"},
            ],
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        }
    ]
    assert chat(content[:1], "assistant")[0]["content"] == ""
    assert chat("a", "assistant") == [{"role": "assistant", "content": "a"}]
