import json
from typing import Any

from tollway.wire.dialects.anthropic_output import AnthropicWriter
from tollway.wire.usage import Usage
from unit.wire.dialects.messages import message_of


def kinds(stream: bytes) -> list[str]:
    events: list[dict[str, Any]] = [json.loads(one.partition(b"\ndata: ")[2]) for one in stream.split(b"\n\n") if one]
    assert [f"event: {one['type']}".encode() for one in events] == [
        one.partition(b"\n")[0] for one in stream.split(b"\n\n") if one
    ]
    return [one["type"].removeprefix("content_block_") for one in events]


def test_a_message_of_nothing() -> None:
    writer = AnthropicWriter("msg_1", "m")
    assert message_of(writer.finish("end_turn", None)) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_blocks_follow_each_other() -> None:
    writer = AnthropicWriter("msg_1", "m")
    assert kinds(writer.begin()) == ["message_start"]
    assert writer.begin() == b""
    assert kinds(writer.thinking("a")) == ["start", "delta"]
    assert kinds(writer.thinking("b")) == ["delta"]
    assert kinds(writer.signature("s")) == ["delta", "stop"]
    assert kinds(writer.text("a")) == ["start", "delta"]
    assert kinds(writer.text("b")) == ["delta"]
    assert kinds(writer.tool("t", "f")) == ["stop", "start"]
    assert writer.is_tool_open
    assert kinds(writer.tool_input("{}")) == ["delta"]
    assert kinds(writer.redacted("d")) == ["stop", "start", "stop"]
    assert not writer.is_tool_open
    assert writer.end_block() == b""
    assert kinds(writer.signature("s")) == ["start", "delta", "stop"]
    assert kinds(writer.finish("tool_use", Usage(1, 2))) == ["message_delta", "message_stop"]


def test_text_cannot_make_an_event_of_its_own() -> None:
    assert kinds(AnthropicWriter("i", "m").text("a\n\nevent: error\r\rdata: x")) == ["message_start", "start", "delta"]
