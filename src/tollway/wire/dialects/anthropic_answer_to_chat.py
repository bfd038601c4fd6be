"""An answer of Anthropic Messages → a Chat Completions answer: a stream as it comes, a whole body, or an error.

Whatever a provider sends, nothing here raises: an event that is malformed or unknown is dropped.
Source: response-path 5.8, 5.10 to 5.12.
"""

from typing import Final

from msgspec import Struct
from msgspec.json import encode

from tollway.wire.answer import LABEL_CHARS_MAX
from tollway.wire.dialects.anthropic_errors import status_of
from tollway.wire.dialects.anthropic_usage import AnthropicUsage
from tollway.wire.dialects.chat_output import (
    CONTENT_FILTER,
    LENGTH,
    NO_ARGUMENTS,
    STOP,
    TOOL_CALLS,
    ChatMessage,
    ChatWriter,
    UsageShape,
    usage_member,
)
from tollway.wire.dialects.details import ANTHROPIC
from tollway.wire.dialects.event_translator import EventTranslator
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_index, as_object, as_text
from tollway.wire.dialects.refusal import provider_error_body, reason_phrase
from tollway.wire.json_body import JsonObject, JsonValue
from tollway.wire.sse import read_object
from tollway.wire.upstream_error import read_error
from tollway.wire.usage import Usage

OPEN_BLOCKS_MAX: Final = 64  # a provider opens one at a time

_USAGE_SHAPE: Final = UsageShape(cache_writes=True)
_FINISH_REASONS: Final = {
    "end_turn": STOP,
    "stop_sequence": STOP,
    "pause_turn": STOP,
    "max_tokens": LENGTH,
    "model_context_window_exceeded": LENGTH,
    "tool_use": TOOL_CALLS,
    "refusal": CONTENT_FILTER,
}


class _Block(Struct):
    """An open content block. `call`: the index of a tool call; `input`: what its start brought already."""

    kind: str
    call: int = 0
    input: JsonValue = None
    has_fragments: bool = False


class AnthropicToChatStream(EventTranslator):
    """Feed it the body of a stream of Messages events; it gives back that of a chat stream.

    `usage` None: not reported. `finish_reason` is a chat one; None: not said yet. `error`: what the client was told,
    after which nothing comes. `is_finished`: the answer is complete and `[DONE]` was given. `has_output`: a piece of
    output was. `too_long`: an event was longer than allowed, which is an error too.

    The last chunk comes with the provider's last event. A stream that ends without one, and without a stop reason,
    did not finish: close gives nothing then, and who relays it tells the client.
    """

    __slots__ = (
        "_blocks",
        "_message_id",
        "_usage",
        "_writer",
        "has_output",
    )

    def __init__(self, public_id: str) -> None:
        """public_id: the model that chunks name."""
        super().__init__()
        self._writer = ChatWriter(public_id)
        self._usage = AnthropicUsage()
        self._blocks: dict[int, _Block] = {}
        self._message_id = ""
        self.has_output = False

    @property
    def usage(self) -> Usage | None:
        return self._usage.usage

    @property
    def message_id(self) -> str | None:
        return self._message_id or None

    def _take(self, data: bytes) -> bytes:
        event = read_object(data)
        if event is None:
            return b""
        kind = event.get("type")
        if kind == "content_block_delta":
            written = self._delta(self._blocks.get(as_index(event.get("index"))), event.get("delta"))
        elif kind == "content_block_start":
            index = as_index(event.get("index"))
            written = self._stop(self._blocks.pop(index, None)) + self._start(index, event.get("content_block"))
        elif kind == "content_block_stop":
            written = self._stop(self._blocks.pop(as_index(event.get("index")), None))
        else:
            return self._take_about_message(kind, event)
        self.has_output = self.has_output or bool(written)
        return written

    def _take_about_message(self, kind: JsonValue, event: JsonObject) -> bytes:
        if kind == "message_start":
            message = as_object(event.get("message"))
            self._message_id = self._message_id or as_text(message.get("id"))[:LABEL_CHARS_MAX]
            self._usage.read(message.get("usage"))
        elif kind == "message_delta":
            self._usage.read(event.get("usage"))
            stop_reason = as_object(event.get("delta")).get("stop_reason")
            if stop_reason is not None:
                self.finish_reason = finish_reason(stop_reason)
        elif kind == "message_stop":
            self.finish_reason = self.finish_reason or STOP
            return self._finish()
        elif kind == "error":
            status = status_of(event)
            return self.fail(ProviderError(read_error(encode(event)).message or reason_phrase(status), status))
        return b""

    def _start(self, index: int, block: JsonValue) -> bytes:
        block = as_object(block)
        kind = as_text(block.get("type"))
        if len(self._blocks) >= OPEN_BLOCKS_MAX:
            return b""
        if kind == "text":
            self._blocks[index] = _Block(kind)
            return self._writer.text(as_text(block.get("text")))
        if kind == "thinking":
            self._blocks[index] = _Block(kind)
            self._writer.open_reasoning()
            return self._writer.reasoning(as_text(block.get("thinking")))
        if kind == "redacted_thinking":
            data = as_text(block.get("data"))
            return self._writer.encrypted(data, ANTHROPIC) if data else b""
        if kind == "tool_use":
            call, written = self._writer.tool_start(as_text(block.get("id")), as_text(block.get("name")))
            self._blocks[index] = _Block(kind, call, block.get("input"))
            return written
        return b""

    def _delta(self, block: _Block | None, delta: JsonValue) -> bytes:
        """A delta counts only in a block of its own kind."""
        delta = as_object(delta)
        kind = (block.kind if block else "", delta.get("type"))
        if kind == ("text", "text_delta"):
            return self._writer.text(as_text(delta.get("text")))
        if kind == ("thinking", "thinking_delta"):
            return self._writer.reasoning(as_text(delta.get("thinking")))
        if kind == ("thinking", "signature_delta"):
            signature = as_text(delta.get("signature"))
            return self._writer.signature(signature, ANTHROPIC) if signature else b""
        if block and kind == ("tool_use", "input_json_delta"):
            fragment = as_text(delta.get("partial_json"))
            block.has_fragments = block.has_fragments or bool(fragment)
            return self._writer.tool_arguments(block.call, fragment)
        return b""

    def _stop(self, block: _Block | None) -> bytes:
        """A tool call without a fragment still has arguments: clients cannot parse an empty text."""
        if block is None or block.kind != "tool_use" or block.has_fragments:
            return b""
        return self._writer.tool_arguments(block.call, _arguments(block.input))

    def _conclude(self) -> bytes:
        return self._finish() if self.finish_reason else b""

    def _finish(self) -> bytes:
        self.is_finished = True
        left = b"".join([self._stop(block) for block in self._blocks.values()])
        usage = usage_member(self.usage, _USAGE_SHAPE)
        return left + self._writer.finish(self._message_id, self.finish_reason or STOP, usage)

    def _tell(self, error: ProviderError) -> bytes:
        return self._writer.error(error.message, error.status)


def anthropic_answer_to_chat(body: bytes, public_id: str) -> bytes:
    """A whole Messages answer as a chat answer; b"" when it is none, and so no answer at all.

    What reports an error with a status of success becomes an error body.
    """
    answer = read_object(body)
    if answer is None:
        return b""
    if answer.get("type") == "error":
        return provider_error_body(body, status_of(answer))
    content = answer.get("content")
    if not isinstance(content, list):
        return b""
    message = ChatMessage()
    for block in content:
        _add(message, as_object(block))
    usage = AnthropicUsage()
    usage.read(answer.get("usage"))
    return message.answer(
        as_text(answer.get("id")),
        public_id,
        finish_reason(answer.get("stop_reason")),
        usage_member(usage.usage, _USAGE_SHAPE),
    )


def anthropic_error_to_chat(body: bytes, status: int) -> bytes:
    """The body of an answer that failed, as a chat client is told of it. status: the provider's, which stays."""
    return provider_error_body(body, status)


def finish_reason(stop_reason: JsonValue) -> str:
    """The chat finish reason; STOP for what is unknown or missing."""
    return _FINISH_REASONS.get(as_text(stop_reason), STOP)


def _add(message: ChatMessage, block: JsonObject) -> None:
    kind = block.get("type")
    if kind == "text":
        message.text(as_text(block.get("text")))
    elif kind == "thinking":
        signature = as_text(block.get("signature")) or None
        message.reasoning(as_text(block.get("thinking")), signature, format_=ANTHROPIC if signature else None)
    elif kind == "redacted_thinking":
        message.encrypted(as_text(block.get("data")), ANTHROPIC)
    elif kind == "tool_use":
        message.call(as_text(block.get("id")), as_text(block.get("name")), _arguments(block.get("input")))


def _arguments(tool_input: JsonValue) -> str:
    return encode(tool_input).decode() if isinstance(tool_input, dict) and tool_input else NO_ARGUMENTS
