"""Chat Completions answers, written from what a provider of another dialect tells: chunk by chunk, or whole.

One writer per answer; it counts tools and pieces of reasoning. Source: response-path 5.10 and 5.11.
"""

from typing import Final

from msgspec import Struct
from msgspec.json import encode

from tollway.wire.dialects.details import ENCRYPTED, TEXT, Detail, written_detail
from tollway.wire.json_body import JsonObject, JsonValue
from tollway.wire.usage import Usage

STOP: Final = "stop"
LENGTH: Final = "length"
TOOL_CALLS: Final = "tool_calls"
CONTENT_FILTER: Final = "content_filter"
ERROR: Final = "error"

DONE_EVENT: Final = b"data: [DONE]\n\n"
NO_ARGUMENTS: Final = "{}"


class ChatWriter:
    """Writes the events of one streamed answer; every method returns bytes, b"" for nothing to tell.

    public_id: the model that answers name. is_legacy: see details.OBSCURED.
    """

    __slots__ = ("_current_text", "_is_legacy", "_public_id", "_reasoning_index", "_reasoning_opened", "_tool_index")

    def __init__(self, public_id: str, is_legacy: bool = False) -> None:
        self._public_id = public_id
        self._is_legacy = is_legacy
        self._tool_index = 0
        self._reasoning_index = 0
        self._reasoning_opened = False  # the next piece of reasoning text begins a detail of its own
        self._current_text = 0

    @property
    def has_tool_calls(self) -> bool:
        return self._tool_index > 0

    def text(self, text: str) -> bytes:
        return self._chunk({"content": text}) if text else b""

    def refusal(self, text: str) -> bytes:
        """Why the model will not answer, in its own words."""
        return self._chunk({"refusal": text}) if text else b""

    def open_reasoning(self) -> None:
        """A block of reasoning begins, of which nothing is known yet."""
        self._reasoning_opened = True

    def reasoning(self, text: str, id_: str | None = None, format_: str | None = None) -> bytes:
        if not text:
            return b""
        if self._reasoning_opened:
            self._current_text = self._next_reasoning()
            self._reasoning_opened = False
        return self._reasoning(text, Detail(TEXT, text, format_, id=id_, index=self._current_text))

    def signature(self, signature: str, format_: str) -> bytes:
        """The proof of the reasoning text that was written last.

        Where there was none, because its provider keeps the text back, it begins a detail of its own: two of one index
        would be merged by clients.
        """
        if self._reasoning_opened:
            self._current_text = self._next_reasoning()
            self._reasoning_opened = False
        return self._reasoning("", Detail(TEXT, "", format_, signature, index=self._current_text))

    def encrypted(self, data: str, format_: str, id_: str | None = None) -> bytes:
        return self._details(Detail(ENCRYPTED, data, format_, id=id_, index=self._next_reasoning()))

    def tool_start(self, id_: str, name: str) -> tuple[int, bytes]:
        """The index of the call, for its arguments, and the event."""
        index = self._tool_index
        self._tool_index += 1
        return index, self._call({"index": index, "id": id_, "type": "function", "function": {"name": name}})

    def tool_arguments(self, index: int, fragment: str) -> bytes:
        return self._call({"index": index, "function": {"arguments": fragment}}) if fragment else b""

    def tool_whole(self, id_: str, name: str, arguments: str) -> bytes:
        """A call whose start was not told."""
        index = self._tool_index
        self._tool_index += 1
        function = {"name": name, "arguments": arguments or NO_ARGUMENTS}
        return self._call({"index": index, "id": id_, "type": "function", "function": function})

    def finish(self, message_id: str, reason: str, usage: JsonObject) -> bytes:
        """The last chunk and `[DONE]`. usage: see usage_member."""
        chunk = {
            "id": message_id,
            "model": self._public_id,
            "choices": [{"delta": {}, "finish_reason": reason}],
            "usage": usage,
        }
        return b"data: %b\n\n%b" % (encode(chunk), DONE_EVENT)

    def error(self, message: str, status: int) -> bytes:
        """The one event that ends a failed stream; `[DONE]` never follows (response-path 5.12, guarantees S4)."""
        event = {
            "choices": [{"index": 0, "delta": {}, "finish_reason": ERROR}],
            "error": {"message": message, "code": status, "type": "error"},
        }
        return b"data: %b\n\n" % encode(event)

    def _next_reasoning(self) -> int:
        index = self._reasoning_index
        self._reasoning_index += 1
        return index

    def _reasoning(self, text: str, detail: Detail) -> bytes:
        return self._chunk({"reasoning": text, "reasoning_details": [written_detail(detail, self._is_legacy)]})

    def _details(self, detail: Detail) -> bytes:
        return self._chunk({"reasoning_details": [written_detail(detail, self._is_legacy)]})

    def _call(self, call: JsonObject) -> bytes:
        return self._chunk({"tool_calls": [call]})

    def _chunk(self, delta: JsonObject) -> bytes:
        return b"data: %b\n\n" % encode({"model": self._public_id, "choices": [{"delta": delta}]})


class ChatMessage:
    """Collects one whole answer. Details have no index here."""

    __slots__ = ("_calls", "_details", "_is_legacy", "_reasoning", "_refusal", "_text")

    def __init__(self, is_legacy: bool = False) -> None:
        self._is_legacy = is_legacy
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._details: list[JsonObject] = []
        self._calls: list[JsonObject] = []

    @property
    def has_tool_calls(self) -> bool:
        return bool(self._calls)

    def text(self, text: str) -> None:
        self._text.append(text)

    def refusal(self, text: str) -> None:
        self._refusal.append(text)

    def reasoning(
        self, text: str, signature: str | None = None, id_: str | None = None, format_: str | None = None
    ) -> None:
        """A block or part of reasoning; without text and without signature there is nothing to tell."""
        self._reasoning.append(text)
        if text or signature:
            self._detail(Detail(TEXT, text, format_, signature, id_))

    def encrypted(self, data: str, format_: str, id_: str | None = None) -> None:
        self._detail(Detail(ENCRYPTED, data, format_, id=id_))

    def call(self, id_: str, name: str, arguments: str) -> None:
        function = {"name": name, "arguments": arguments or NO_ARGUMENTS}
        self._calls.append({"id": id_, "type": "function", "index": len(self._calls), "function": function})

    def answer(self, message_id: str, public_id: str, reason: str, usage: JsonObject) -> bytes:
        """The JSON body. usage: see usage_member."""
        message: JsonObject = {"role": "assistant", "content": "".join(self._text) or None}
        refusal, reasoning = "".join(self._refusal), "".join(self._reasoning)
        if refusal:
            message["refusal"] = refusal
        if reasoning:
            message["reasoning"] = reasoning
        if self._details:
            message["reasoning_details"] = self._details
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {"message": message, "finish_reason": reason, "index": 0}
        return encode({"id": message_id, "model": public_id, "choices": [choice], "usage": usage})

    def _detail(self, detail: Detail) -> None:
        self._details.append(written_detail(detail, self._is_legacy))


class UsageShape(Struct, frozen=True):
    """Which details a provider's usage has."""

    cache_writes: bool = False
    reasoning: bool = False


def usage_member(usage: Usage | None, shape: UsageShape) -> JsonObject:
    """`usage` as clients get it; three zeros when the provider reported none. There is never a cost."""
    if usage is None:
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    prompt_details: dict[str, JsonValue] = {"cached_tokens": usage.cached_tokens}
    if shape.cache_writes:
        prompt_details["cache_write_tokens"] = usage.cache_write_tokens
    written: JsonObject = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": prompt_details,
    }
    if shape.reasoning:
        written["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return written
