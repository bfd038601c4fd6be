"""A streamed answer of OpenAI's Responses API → the stream of a Chat Completions answer, as it comes.

Whatever a provider sends, nothing here raises: an event that is malformed or unknown is dropped.
Source: response-path 5.8 to 5.12.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from tollway.wire.answer import LABEL_CHARS_MAX
from tollway.wire.dialects.chat_output import NO_ARGUMENTS, ChatWriter, usage_member
from tollway.wire.dialects.details import OPENAI
from tollway.wire.dialects.event_translator import EventTranslator
from tollway.wire.dialects.phases import phase_key
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_index, as_list, as_object, as_text
from tollway.wire.dialects.responses_facts import (
    USAGE_SHAPE,
    ResponsesAnswer,
    ResponsesEvent,
    error_of,
    finish_reason,
    read_answer,
    read_event,
    usage_of,
)
from tollway.wire.json_body import JsonObject
from tollway.wire.usage import Usage

# The last event repeats the whole answer, and with it the instructions and tools of the request.
EVENT_BYTES_MAX: Final = 16 << 20
OPEN_ITEMS_MAX: Final = 64  # a provider opens one at a time
PHASES_MAX: Final = 64
_PHASE_CHARS_MAX: Final = 64


class _Reasoning(Struct):
    """An open reasoning item. `parts`: the parts of its summary that have not been concluded, by index, and whether
    their last text was told: one that was is concluded as soon as another begins."""

    sealed: str
    parts: dict[int, bool] = field(default_factory=dict)


class _Call(Struct):
    """An open function call; `index` is the chat one."""

    index: int
    has_fragments: bool = False


class ResponsesToChatStream(EventTranslator):
    """Feed it the body of a stream of Responses events; it gives back that of a chat stream.

    `usage` None: not reported. `finish_reason` is a chat one; None: not said yet. `error`: what the client was told,
    after which nothing comes. `is_finished`: the answer is complete and `[DONE]` was given. `has_output`: a piece of
    output was. `too_long`: an event was longer than allowed, which is an error too. `phases`: key → phase of the
    messages that were marked, to be remembered for the caller's next request.

    A stream that ends without its last event did not finish: close gives nothing then, and who relays it tells the
    client.
    """

    __slots__ = (
        "_calls",
        "_message_id",
        "_reasoning",
        "_task_id",
        "_user_id",
        "_writer",
        "has_output",
        "phases",
        "usage",
    )

    def __init__(self, public_id: str, is_legacy: bool = False, user_id: str = "", task_id: str | None = None) -> None:
        """public_id: the model that chunks name. user_id, task_id: whose phases these are."""
        super().__init__(EVENT_BYTES_MAX)
        self._writer = ChatWriter(public_id, is_legacy)
        self._user_id, self._task_id = user_id, task_id
        self._reasoning: dict[str, _Reasoning] = {}
        self._calls: dict[int, _Call] = {}
        self._message_id = ""
        self.usage: Usage | None = None
        self.phases: dict[str, str] = {}
        self.has_output = False

    @property
    def message_id(self) -> str | None:
        return self._message_id or None

    def _take(self, data: bytes) -> bytes:
        event = read_event(data)
        if event is None:
            return b""
        kind = as_text(event.type)
        told = _OUTPUT.get(kind)
        if told:
            written = told(self, event)
            self.has_output = self.has_output or bool(written)
            return written
        if kind == "error":
            return self.fail(error_of(data))
        if kind not in _OF_ANSWER:
            return b""
        answer = read_answer(event.response) or ResponsesAnswer()
        self._message_id = self._message_id or as_text(answer.id)[:LABEL_CHARS_MAX]
        if kind not in _LAST:
            return b""
        self.usage = usage_of(answer)
        return self.fail(error_of(event.response)) if kind == "response.failed" else self._finish(answer)

    def _text(self, event: ResponsesEvent) -> bytes:
        return self._writer.text(as_text(event.delta))

    def _refusal(self, event: ResponsesEvent) -> bytes:
        return self._writer.refusal(as_text(event.delta))

    def _reasoning_text(self, event: ResponsesEvent) -> bytes:
        return self._writer.reasoning(as_text(event.delta), as_text(event.item_id) or None, OPENAI)

    def _arguments(self, event: ResponsesEvent) -> bytes:
        call = self._calls.get(as_index(event.output_index))
        fragment = as_text(event.delta)
        if call is None or not fragment:
            return b""
        call.has_fragments = True
        return self._writer.tool_arguments(call.index, fragment)

    def _item_added(self, event: ResponsesEvent) -> bytes:
        item = as_object(event.item)
        kind = item.get("type")
        if len(self._reasoning) + len(self._calls) >= OPEN_ITEMS_MAX:
            return b""
        if kind == "function_call":
            call, written = self._writer.tool_start(as_text(item.get("call_id")), as_text(item.get("name")))
            self._calls[as_index(event.output_index)] = _Call(call)
            return written
        if kind == "reasoning":
            id_ = as_text(item.get("id"))
            reasoning = self._reasoning[id_] = _Reasoning(as_text(item.get("encrypted_content")))
            return self._open_part(id_, reasoning, 0)
        return b""

    def _part_added(self, event: ResponsesEvent) -> bytes:
        """The first part began with its item."""
        id_, place = as_text(event.item_id), as_index(event.summary_index)
        reasoning = self._reasoning.get(id_)
        if reasoning is None or place <= 0 or len(reasoning.parts) >= OPEN_ITEMS_MAX:
            return b""
        reasoning.parts = {open_: told for open_, told in reasoning.parts.items() if not told}
        return self._open_part(id_, reasoning, place)

    def _open_part(self, id_: str, reasoning: _Reasoning, place: int) -> bytes:
        reasoning.parts[place] = False
        if reasoning.sealed:
            return self._writer.encrypted(reasoning.sealed, OPENAI, id_ or None)
        self._writer.open_reasoning()
        return b""

    def _part_done(self, event: ResponsesEvent) -> bytes:
        reasoning = self._reasoning.get(as_text(event.item_id))
        place = as_index(event.summary_index)
        if reasoning and place in reasoning.parts:
            reasoning.parts[place] = True
        return b""

    def _item_done(self, event: ResponsesEvent) -> bytes:
        item = as_object(event.item)
        kind = item.get("type")
        if kind == "reasoning":
            return self._reasoning_done(item)
        if kind == "function_call":
            return self._call_done(self._calls.pop(as_index(event.output_index), None), item)
        if kind == "message":
            self._keep_phase(item)
        return b""

    def _reasoning_done(self, item: JsonObject) -> bytes:
        id_, sealed = as_text(item.get("id")), as_text(item.get("encrypted_content"))
        reasoning = self._reasoning.pop(id_, None)
        if not sealed:
            return b""
        parts = len(reasoning.parts) if reasoning else 1
        return b"".join([self._writer.encrypted(sealed, OPENAI, id_ or None) for _ in range(parts)])

    def _call_done(self, call: _Call | None, item: JsonObject) -> bytes:
        """A call without a fragment still has arguments: clients cannot parse an empty text."""
        arguments = as_text(item.get("arguments")) or NO_ARGUMENTS
        if call is None:
            return self._writer.tool_whole(as_text(item.get("call_id")), as_text(item.get("name")), arguments)
        return b"" if call.has_fragments else self._writer.tool_arguments(call.index, arguments)

    def _keep_phase(self, item: JsonObject) -> None:
        phase = as_text(item.get("phase"))
        if phase and len(phase) <= _PHASE_CHARS_MAX and "\0" not in phase and len(self.phases) < PHASES_MAX:
            parts = [as_object(part) for part in as_list(item.get("content"))]
            texts = [as_text(part.get("text")) for part in parts if part.get("type") == "output_text"]
            self.phases.setdefault(phase_key(self._user_id, self._task_id, texts), phase)

    def _finish(self, answer: ResponsesAnswer) -> bytes:
        self.is_finished = True
        left = b"".join([self._call_done(call, {}) for call in self._calls.values()])
        self.finish_reason = finish_reason(answer, self._writer.has_tool_calls)
        usage = usage_member(self.usage, USAGE_SHAPE)
        return left + self._writer.finish(self._message_id, self.finish_reason, usage)

    def _conclude(self) -> bytes:
        return b""  # only the provider's last event completes it

    def _tell(self, error: ProviderError) -> bytes:
        return self._writer.error(error.message, error.status)


# The events that report on the whole answer.
_LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_OF_ANSWER: Final = _LAST | {"response.created", "response.in_progress"}
_OUTPUT: Final[dict[str, Callable[[ResponsesToChatStream, ResponsesEvent], bytes]]] = {
    "response.output_text.delta": ResponsesToChatStream._text,
    "response.refusal.delta": ResponsesToChatStream._refusal,
    "response.reasoning_summary_text.delta": ResponsesToChatStream._reasoning_text,
    "response.reasoning_text.delta": ResponsesToChatStream._reasoning_text,
    "response.function_call_arguments.delta": ResponsesToChatStream._arguments,
    "response.output_item.added": ResponsesToChatStream._item_added,
    "response.reasoning_summary_part.added": ResponsesToChatStream._part_added,
    "response.reasoning_summary_part.done": ResponsesToChatStream._part_done,
    "response.output_item.done": ResponsesToChatStream._item_done,
}
