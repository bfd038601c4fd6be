"""Input items of the Responses API as chat messages."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from tollway.wire.dialects.details import ANTHROPIC, OPENAI, TEXT, Detail
from tollway.wire.dialects.packed_details import pack_details
from tollway.wire.dialects.refusal import RefusedError
from tollway.wire.dialects.responses_items_to_chat import DETAILS_MAX, read_items


def said(text: str, role: str = "assistant") -> dict[str, Any]:
    return {"role": role, "content": text}


def called(id_: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id_, "name": "ls", "arguments": "{}"}


def result(id_: str, output: Any = "done") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id_, "output": output}


def thought(text: str, sealed: str | None = None) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "id": f"rs_{text}", "summary": summary, "encrypted_content": sealed}


def call(id_: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "ls", "arguments": "{}"}}


def details(text: str, sealed: str, first: int = 0) -> list[dict[str, Any]]:
    mark = {"id": f"rs_{text}", "format": OPENAI}
    return [
        {"type": "reasoning.text", "text": text, "index": first, **mark},
        {"type": "reasoning.encrypted", "data": sealed, "index": first + 1, **mark},
    ]


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ([], []),
        (
            [said("S", "developer"), {"type": "message", **said("U", "user")}],
            [said("S", "system"), said("U", "user")],
        ),
        (
            [thought("a", "E"), said("Hi"), called("1"), called("2"), result("1"), result("2")],
            [
                {**said("Hi"), "reasoning_details": details("a", "E"), "tool_calls": [call("1"), call("2")]},
                {"role": "tool", "tool_call_id": "1", "content": "done"},
                {"role": "tool", "tool_call_id": "2", "content": "done"},
            ],
        ),
        (
            [called("1"), result("1"), called("2"), result("2")],
            [
                {"role": "assistant", "content": None, "tool_calls": [call("1")]},
                {"role": "tool", "tool_call_id": "1", "content": "done"},
                {"role": "assistant", "content": None, "tool_calls": [call("2")]},
                {"role": "tool", "tool_call_id": "2", "content": "done"},
            ],
        ),
        # reasoning behind text begins a turn of its own; behind a call it cannot, or the results would be torn off
        (
            [said("Hi"), thought("a", "E"), said("there")],
            [said("Hi"), {**said("there"), "reasoning_details": details("a", "E")}],
        ),
        (
            [said("H"), called("1"), thought("a", "E"), said("i"), called("2"), result("1"), result("2")],
            [
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}],
                    "reasoning_details": details("a", "E"),
                    "tool_calls": [call("1"), call("2")],
                },
                {"role": "tool", "tool_call_id": "1", "content": "done"},
                {"role": "tool", "tool_call_id": "2", "content": "done"},
            ],
        ),
        (
            [thought("a", "E"), thought("b", "F")],
            [{**said(""), "reasoning_details": [*details("a", "E"), *details("b", "F", 2)]}],
        ),
        ([thought("a"), thought("b"), said("Hi")], [{**said("Hi"), "reasoning": "ab"}]),
        ([said("one"), said("two")], [said("one"), said("two")]),
    ],
)
def test_turns(items: list[dict[str, Any]], messages: list[dict[str, Any]]) -> None:
    assert read_items(items) == messages


def test_reasoning_of_other_models_comes_back_as_it_was() -> None:
    packed = pack_details([Detail(TEXT, "Hm", ANTHROPIC, "SIG")])
    (message,) = read_items([thought("Hm", packed)])
    expected = {"type": TEXT, "text": "Hm", "signature": "SIG", "index": 0, "format": ANTHROPIC}
    assert message["reasoning_details"] == [expected]


def test_a_damaged_pack_is_left_out() -> None:
    assert read_items([thought("Hm", "tollway1.x"), said("Hi")]) == [said("Hi")]


def test_a_pack_cannot_bring_in_more_than_a_request_may_have() -> None:
    bomb = "tollway1." + urlsafe_b64encode(b"[" + b",".join([b'{"kind":"reasoning.text"}'] * 15_000) + b"]").decode()
    assert len(read_items([thought("a", bomb)])[0]["reasoning_details"]) == 15_000 < DETAILS_MAX
    with pytest.raises(RefusedError, match="too much reasoning"):
        read_items([thought("a", bomb), thought("a", bomb)])


def test_reasoning_without_id_or_summary() -> None:
    item = {"type": "reasoning", "encrypted_content": "E", "content": [{"type": "reasoning_text", "text": "Hm"}, 5]}
    (message,) = read_items([item])
    kinds = [(one["type"], one.get("id"), one["format"]) for one in message["reasoning_details"]]
    assert kinds == [("reasoning.text", None, OPENAI), ("reasoning.encrypted", None, OPENAI)]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_text", "text": "x"}, "x"),
        ({"type": "output_text", "text": "x", "annotations": []}, "x"),
        ({"type": "refusal", "refusal": "x"}, "x"),
        (
            {"type": "input_image", "image_url": "https://e.com/a.png", "detail": "high"},
            [{"type": "image_url", "image_url": {"url": "https://e.com/a.png", "detail": "high"}}],
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,eA==", "file_id": None},
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}],
        ),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:x"},
            [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}}],
        ),
        (
            {"type": "input_file", "file_url": "https://e.com/a.pdf"},
            [{"type": "file", "file": {"file_data": "https://e.com/a.pdf"}}],
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
            [{"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}],
        ),
    ],
)
def test_parts(part: dict[str, Any], expected: Any) -> None:
    assert read_items([{"role": "user", "content": [part]}]) == [{"role": "user", "content": expected}]
    assert read_items([result("1", [part])])[0]["content"] == expected


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (5, "input[0]: Input items must be objects."),
        ({"type": "computer_call"}, "input[0]: Items of type `computer_call` are not supported."),
        ({"type": 5}, "input[0]: Items of type unknown are not supported."),
        ({"type": "x" * 99}, f"input[0]: Items of type `{'x' * 64}` are not supported."),
        ({"type": "item_reference", "id": "x"}, "input[0]: Responses are not stored here: send the items themselves."),
        ({"role": "critic"}, "input[0].role: Messages are from user, assistant, system or developer."),
        ({"role": ["user"]}, "input[0].role: Messages are from user, assistant, system or developer."),
        ({"role": "user", "content": 5}, "input[0].content: Content must be text or a list of parts."),
        ({"role": "user", "content": ["x"]}, "input[0].content[0]: Parts must be objects."),
        (
            {"role": "assistant", "content": [{"type": "input_video"}]},
            "input[0].content[0]: Parts of type `input_video` are not supported.",
        ),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0].text: must be a text."),
        (
            {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
            "input[0].content[0].file_id: Files are not stored here: send the content or an address.",
        ),
        ({"type": "function_call", "name": "x", "arguments": ""}, "input[0].call_id: must be a text."),
        (result("1", None), "input[0].output: Content must be text or a list of parts."),
    ],
)
def test_refusals_say_where(item: Any, message: str) -> None:
    with pytest.raises(RefusedError) as raised:
        read_items([item])
    assert raised.value.refusal.message == message
