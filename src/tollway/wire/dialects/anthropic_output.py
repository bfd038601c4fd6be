"""Events of an Anthropic Messages stream, written one content block after the other. Pure.

One writer per answer. Blocks never overlap: a new one ends the one before.
Source: Anthropic's API reference, streaming.
"""

from typing import Final

from msgspec.json import encode

from tollway.wire.dialects.anthropic_usage import anthropic_usage
from tollway.wire.json_body import JsonObject
from tollway.wire.usage import NO_USAGE, Usage

_TEXT: Final = "text"
_THINKING: Final = "thinking"
_TOOL: Final = "tool_use"


def message_head(message_id: str, model: str) -> JsonObject:
    """What every message begins with."""
    return {"id": message_id, "type": "message", "role": "assistant", "model": model}


def event(kind: str, **members: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **members}))


class AnthropicWriter:
    """Every method returns the bytes of whole events, b"" for nothing to tell. The first one begins the message."""

    __slots__ = ("_has_begun", "_index", "_message_id", "_model", "_open")

    def __init__(self, message_id: str, model: str) -> None:
        """message_id: said before the upstream has said its own. model: the one that the message names."""
        self._message_id = message_id
        self._model = model
        self._has_begun = False
        self._index = -1  # of the block that was begun last
        self._open = ""  # its kind, while it is open

    def begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        rest: JsonObject = {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": anthropic_usage(NO_USAGE),
        }
        return event("message_start", message={**message_head(self._message_id, self._model), **rest})

    def text(self, text: str) -> bytes:
        begun = b"" if self._open == _TEXT else self._begin_block(_TEXT, {"type": _TEXT, "text": ""})
        return begun + self._delta({"type": "text_delta", "text": text})

    def thinking(self, text: str) -> bytes:
        return self._ensure_thinking() + self._delta({"type": "thinking_delta", "thinking": text})

    def signature(self, signature: str) -> bytes:
        """The proof of the thinking before it, which it ends."""
        begun = self._ensure_thinking()
        return begun + self._delta({"type": "signature_delta", "signature": signature}) + self.end_block()

    def redacted(self, data: str) -> bytes:
        return self._begin_block("redacted_thinking", {"type": "redacted_thinking", "data": data}) + self.end_block()

    def tool(self, id_: str, name: str) -> bytes:
        return self._begin_block(_TOOL, {"type": _TOOL, "id": id_, "name": name, "input": {}})

    @property
    def is_tool_open(self) -> bool:
        return self._open == _TOOL

    def tool_input(self, fragment: str) -> bytes:
        """Only while a tool is open."""
        return self._delta({"type": "input_json_delta", "partial_json": fragment})

    def end_block(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return event("content_block_stop", index=self._index)

    def finish(self, stop_reason: str, usage: Usage | None) -> bytes:
        counts = anthropic_usage(usage or NO_USAGE)
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        return (
            self.begin() + self.end_block() + event("message_delta", delta=delta, usage=counts) + event("message_stop")
        )

    def _ensure_thinking(self) -> bytes:
        if self._open == _THINKING:
            return b""
        return self._begin_block(_THINKING, {"type": _THINKING, "thinking": "", "signature": ""})

    def _begin_block(self, kind: str, block: JsonObject) -> bytes:
        before = self.begin() + self.end_block()
        self._index += 1
        self._open = kind
        return before + event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: JsonObject) -> bytes:
        return event("content_block_delta", index=self._index, delta=delta)
