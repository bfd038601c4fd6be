"""A Chat Completions answer → an answer of Anthropic Messages: a stream as it comes, a whole body, or an error.

Whatever an upstream sends, nothing here raises: a chunk that is malformed or unknown is dropped. Only the first choice
counts; there is no word for others. Source: response-path 5.8, 5.10 and 5.11 read backwards, guarantees S3 and S4.
"""

from typing import Final

from msgspec.json import encode

from tollway.wire.dialects.anthropic_errors import anthropic_error, anthropic_error_event
from tollway.wire.dialects.anthropic_output import AnthropicWriter, message_head
from tollway.wire.dialects.anthropic_usage import anthropic_usage
from tollway.wire.dialects.chat_answer import error_of, first_choice, reasoning_of, usage_of
from tollway.wire.dialects.chat_output import CONTENT_FILTER, ERROR, LENGTH, STOP, TOOL_CALLS
from tollway.wire.dialects.content import parts_of, text_of
from tollway.wire.dialects.conversation import arguments_object, call_id, tool_calls_of
from tollway.wire.dialects.details import ANTHROPIC, ENCRYPTED, Detail
from tollway.wire.dialects.event_translator import EventTranslator
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_object, as_text
from tollway.wire.dialects.refusal import reason_phrase
from tollway.wire.json_body import JsonObject, JsonValue
from tollway.wire.sse import DONE, read_object
from tollway.wire.upstream_error import read_error
from tollway.wire.usage import NO_USAGE, Usage

_INTERNAL: Final = 500
_MIXED_CALLS: Final = ProviderError("The upstream mixed up its tool calls.", _INTERNAL)
_UNKNOWN: Final = ProviderError(reason_phrase(_INTERNAL), _INTERNAL)
_TOOL_USE: Final = "tool_use"
_STOP_REASONS: Final = {
    STOP: "end_turn",
    LENGTH: "max_tokens",
    TOOL_CALLS: _TOOL_USE,
    "function_call": _TOOL_USE,
    CONTENT_FILTER: "refusal",
}


class ChatToAnthropicStream(EventTranslator):
    """Feed it the body of a chat stream; it gives back the events of a Messages stream.

    The last events come with `[DONE]`, or when it is closed: usage may follow the finish reason. A stream that ends
    without `[DONE]` and without a finish reason did not finish: close gives nothing then, and who relays it ends it
    with anthropic_error_event. `finish_reason` is the chat one; `usage` None: not reported. `is_finished`: the message
    is complete. `error`: what was told, after which nothing comes. `too_long`: a chunk was longer than allowed,
    which is an error too.
    """

    __slots__ = (
        "_call",
        "_call_id",
        "_calls",
        "_detail",
        "_message_id",
        "_writer",
        "usage",
    )

    def __init__(self, message_id: str, model: str) -> None:
        """message_id: what the message is called, told before the upstream has told its own; model: what it names."""
        super().__init__()
        self._writer = AnthropicWriter(message_id, model)
        self._message_id = message_id
        self._detail: int | None = None  # index of the reasoning detail that was written last
        self._call: int | None = None  # index of the tool call that was begun last
        self._call_id = ""
        self._calls = 0
        self.usage: Usage | None = None

    def _take(self, data: bytes) -> bytes:
        if data.startswith(DONE):
            return self._finish()
        chunk = read_object(data)
        if chunk is None:
            return b""
        error = error_of(chunk)
        if error:
            return self.fail(error)
        self.usage = usage_of(chunk) or self.usage
        choice = first_choice(chunk)
        if choice is None:
            return b""
        written = self._writer.begin() + self._take_delta(as_object(choice.get("delta")))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = reason
        if reason == ERROR and not self.error:
            written += self.fail(_UNKNOWN)
        return written

    def _take_delta(self, delta: JsonObject) -> bytes:
        written = self._take_reasoning(delta)
        for name in ("content", "refusal"):
            for part in parts_of(delta.get(name)):
                text = text_of(part)
                written += self._writer.text(text) if text else b""
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            written += b"" if self.error else self._take_call(as_object(call))
        return written

    def _take_reasoning(self, delta: JsonObject) -> bytes:
        return b"".join([self._take_detail(detail) for detail in reasoning_of(delta)])

    def _take_detail(self, detail: Detail) -> bytes:
        written = b""
        if detail.index is not None and detail.index != self._detail:
            written = self._writer.end_block() if self._detail is not None else b""
            self._detail = detail.index
        if detail.kind == ENCRYPTED:
            return written + (self._writer.redacted(detail.content) if _is_redacted(detail) else b"")
        if detail.content:
            written += self._writer.thinking(detail.content)
        signature = _signature(detail)
        return written + (self._writer.signature(signature) if signature else b"")

    def _take_call(self, call: JsonObject) -> bytes:
        """A call begins with its name; fragments of arguments then follow it. Fragments for a call that has ended
        would be lost, and half a call must not be taken for a whole one."""
        function = as_object(call.get("function"))
        name, fragment = as_text(function.get("name")), as_text(function.get("arguments"))
        index, id_ = call.get("index"), call_id(call.get("id"))
        index = index if index.__class__ is int else self._call
        is_new = index != self._call or index is None or (id_ not in ("", self._call_id))
        written = b""
        if is_new and name:
            self._call, self._call_id = index if index is not None else self._calls, id_
            self._calls += 1
            written = self._writer.tool(id_ or f"toolu_{self._message_id}_{self._calls}", name)
        elif fragment and (is_new or not self._writer.is_tool_open):
            return self.fail(_MIXED_CALLS)
        return written + (self._writer.tool_input(fragment) if fragment else b"")

    def _conclude(self) -> bytes:
        return self._finish() if self.finish_reason else b""

    def _finish(self) -> bytes:
        self.is_finished = True
        return self._writer.finish(stop_reason(self.finish_reason, self._calls > 0), self.usage)

    def _tell(self, error: ProviderError) -> bytes:
        return anthropic_error_event(error.message, error.status)


def chat_answer_to_anthropic(body: bytes, message_id: str, model: str) -> bytes:
    """A whole chat answer as a Messages answer; b"" when it is none, and so no answer at all.

    message_id: what the message is called if the upstream did not say. model: what the message names.
    """
    answer = read_object(body)
    if answer is None:
        return b""
    error = error_of(answer)
    if error:
        return anthropic_error(error.message, error.status)
    choice = first_choice(answer)
    if choice is None:
        return b""
    message = as_object(choice.get("message"))
    content = [*_thinking_blocks(message), *_text_blocks(message)]
    calls = [
        {"type": _TOOL_USE, "id": id_, "name": name, "input": arguments_object(arguments)}
        for id_, name, arguments in tool_calls_of(message)
    ]
    return encode(
        {
            **message_head(as_text(answer.get("id")) or message_id, model),
            "content": content + calls,
            "stop_reason": stop_reason(choice.get("finish_reason"), bool(calls)),
            "stop_sequence": None,
            "usage": anthropic_usage(usage_of(answer) or NO_USAGE),
        }
    )


def chat_error_to_anthropic(body: bytes, status: int) -> bytes:
    """The body of an answer that failed, as a client of Anthropic's is told of it. status: the one it is sent with."""
    return anthropic_error(read_error(body).message or reason_phrase(status), status)


def stop_reason(finish_reason: JsonValue, has_calls: bool) -> str:
    """Some upstreams say that they stopped where they called a tool; these clients go by the reason."""
    reason = _STOP_REASONS.get(as_text(finish_reason), "end_turn")
    return _TOOL_USE if has_calls and reason == "end_turn" else reason


def _thinking_blocks(message: JsonObject) -> list[JsonObject]:
    blocks: list[JsonObject] = []
    for detail in reasoning_of(message):
        if detail.kind != ENCRYPTED:
            signature = _signature(detail) or ""
            if detail.content or signature:
                blocks.append({"type": "thinking", "thinking": detail.content, "signature": signature})
        elif _is_redacted(detail):
            blocks.append({"type": "redacted_thinking", "data": detail.content})
    return blocks


def _text_blocks(message: JsonObject) -> list[JsonObject]:
    texts = [text_of(part) for name in ("content", "refusal") for part in parts_of(message.get(name))]
    return [{"type": "text", "text": text} for text in texts if text]


def _is_redacted(detail: Detail) -> bool:
    """Only Anthropic's own comes back to Anthropic."""
    return bool(detail.content) and detail.format == ANTHROPIC


def _signature(detail: Detail) -> str | None:
    return detail.signature if detail.format in (None, ANTHROPIC) else None
