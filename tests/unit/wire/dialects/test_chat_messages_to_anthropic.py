from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from tollway.wire.dialects.chat_messages_to_anthropic import CACHE_MARKS_MAX, AnthropicMessages
from tollway.wire.dialects.refusal import RefusedError
from unit.wire.conversations import CONVERSATIONS

MARK = {"type": "ephemeral"}
PNG = "data:image/gif;base64," + b64encode(b"\x89PNG").decode()
PDF = "data:application/pdf;base64,JVBERi0="
USER = {"role": "user", "content": "u"}


def read(*messages: dict[str, Any]) -> AnthropicMessages:
    found = AnthropicMessages()
    found.read({"messages": list(messages)})
    return found


def user_blocks(*parts: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read({"role": "user", "content": list(parts), **members}).messages[0]["content"]
    return found


def result_of(content: Any) -> Any:
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    block = read(call, {"role": "tool", "tool_call_id": "c", "content": content}).messages[1]["content"][0]
    assert (block["type"], block["tool_use_id"]) == ("tool_result", "c")
    return block["content"]


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: str, **members: Any) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": data, **members}}


def test_the_system_comes_first_also_what_was_said_late() -> None:
    parts = [text("a"), {"type": "image_url"}, text("b")]
    found = read({"role": "system", "content": parts}, USER, {"role": "developer", "content": "late"}, USER)
    assert found.system == [text("ab") | {"cache_control": MARK}, text("late") | {"cache_control": MARK}]
    assert found.messages == [{"role": "user", "content": [text("u"), text("u")]}]


def test_an_empty_system_is_none() -> None:
    assert read({"role": "system", "content": ""}, USER).system == []


def test_neighbours_of_one_role_are_one_message() -> None:
    call = {"role": "assistant", "content": "a", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}
    result = {"role": "tool", "tool_call_id": "c", "content": "r"}
    found = read(USER, {"role": "assistant", "content": "x"}, call, result, USER)
    assert [(one["role"], len(one["content"])) for one in found.messages] == [
        ("user", 1),
        ("assistant", 3),
        ("user", 2),
    ]


@given(CONVERSATIONS)
def test_whatever_is_said(messages: list[dict[str, Any]]) -> None:
    """Nothing but a refusal is raised, nothing of the caller's is edited, roles alternate, marks are few."""
    before = repr(messages)
    found = AnthropicMessages()
    try:
        found.read({"messages": messages})
    except RefusedError:
        return
    finally:
        assert repr(messages) == before
    roles = [one["role"] for one in found.messages]
    assert all(one != other for one, other in pairwise(roles))
    assert repr((found.system, found.messages)).count("'cache_control'") <= CACHE_MARKS_MAX
    assert all(one["content"] for one in found.messages)


def test_the_image_is_what_its_bytes_say() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
    assert user_blocks(image(PNG)) == [{"type": "image", "source": source}]
    assert result_of([image(PNG)]) == [{"type": "image", "source": source}]


def test_documents() -> None:
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
    plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}}
    assert user_blocks(file(PDF, filename="a.pdf"), file(PDF)) == [pdf | {"title": "a.pdf"}, pdf]
    assert user_blocks(file("data:text/plain;base64,w6k=")) == [plain]
    assert read({"role": "user", "content": [file(PDF)]}).has_pdf
    assert not read({"role": "user", "content": [file("data:text/plain;base64,w6k=")]}).has_pdf


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "image_url"},
        image("not a url"),
        image("ftp://x/y"),
        file("data:application/zip;base64,AA=="),
        file("data:text/plain;base64,%%%"),
        file("https://x/y.pdf"),
        {"type": "file"},
        {"type": "video_url"},
        {"text": "x"},
    ],
)
def test_what_cannot_be_said(part: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match=f"^Unsupported content part: {part.get('type', 'unknown')}$"):
        user_blocks(part)


def test_empty_texts_are_dropped() -> None:
    assert user_blocks(text(""), text("a")) == [text("a")]
    assert read({"role": "user", "content": ""}, {"role": "assistant", "content": [text("")]}).messages == []


def test_the_mark_of_a_message_is_for_its_last_block() -> None:
    other = {"type": "ephemeral", "ttl": "1h"}
    assert user_blocks(text("a"), text("b"), cache_control=MARK) == [text("a"), text("b") | {"cache_control": MARK}]
    marked = text("b") | {"cache_control": other}
    assert user_blocks(text("a"), marked, cache_control=MARK) == [text("a"), marked]


def test_marks_of_answers_and_results_count_for_nothing() -> None:
    part = text("a") | {"cache_control": MARK}
    call = {"id": "c", "function": {"name": "f"}}
    found = read(
        {"role": "assistant", "content": [part], "tool_calls": [call], "cache_control": MARK},
        {"role": "tool", "tool_call_id": "c", "content": [part], "cache_control": MARK},
    )
    assert "cache_control" not in repr(found.messages)


def test_results() -> None:
    assert result_of("r") == "r"
    assert result_of("") == result_of(None) == ""
    assert result_of([text("a"), text("")]) == [text("a")]
    assert result_of([image("https://x/y.png"), file("raw")]) == [text("https://x/y.png"), text("raw")]
    assert result_of([file(PNG)])[0]["type"] == "image"
    assert result_of([file(PDF, filename="a.pdf")]) == [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
    ]
    assert result_of([{"type": "input_audio"}, file("data:text/plain;base64,AA=="), {"type": "file"}]) == []


def test_thinking_comes_first_and_only_with_its_proof() -> None:
    details = [
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "google-gemini-v1"},
        {"type": "reasoning.text", "text": "t", "signature": "s"},
        {"type": "reasoning.text", "text": "", "signature": "s2", "format": "anthropic-claude-v1"},
        {"type": "reasoning.summary", "summary": "t", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"},
    ]
    content = read({"role": "assistant", "content": "a", "reasoning_details": details}, USER).messages[0]["content"]
    assert content == [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "thinking", "thinking": "", "signature": "s2"},
        {"type": "redacted_thinking", "data": "d"},
        text("a"),
    ]
    assert read({"role": "assistant", "content": "a", "reasoning": "plain"}, USER).messages[0]["content"] == [text("a")]


def test_what_an_assistant_said() -> None:
    content = [text("a"), {"type": "refusal", "refusal": "no"}]
    assert read({"role": "assistant", "content": content}, USER).messages[0]["content"] == [text("a"), text("no")]
    with pytest.raises(RefusedError, match="image_url"):
        read({"role": "assistant", "content": [image(PNG)]}, USER)


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        (" a ", [text("a")]),
        ([text(" a "), text(" b ")], [text(" a "), text("b")]),
        ([text("a"), text(" ")], [text("a")]),
    ],
)
def test_a_beginning_for_the_model(content: Any, blocks: list[dict[str, Any]]) -> None:
    assert read(USER, {"role": "assistant", "content": content}).messages[-1] == {
        "role": "assistant",
        "content": blocks,
    }


def test_a_beginning_of_nothing_is_none() -> None:
    assert read(USER, {"role": "assistant", "content": " "}).messages == [{"role": "user", "content": [text("u")]}]
    assert read(USER, {"role": "assistant", "content": " a "}, USER).messages[1]["content"] == [text(" a ")]
