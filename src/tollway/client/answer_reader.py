"""A chat answer as it comes in: pieces for the person, and what is needed to go on afterwards. Sans-io.

Nothing a gateway sends raises: what has the wrong type counts as absent. Comments, events without choices, usage in any
event and a missing `[DONE]` are all fine. Source: catalog-and-clients D.4.6, D.4.10.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from tollway.client.reasoning_details import ReasoningDetails
from tollway.client.refusal import error_text
from tollway.wire.answer import BOM, read_envelope
from tollway.wire.dialects.content import message_text
from tollway.wire.dialects.reading import as_index, as_list, as_object, as_text
from tollway.wire.json_body import JsonObject
from tollway.wire.sse import DONE, EventDecoder, read_object
from tollway.wire.usage import Usage, read_usage

ANSWER_BYTES_MAX: Final = 64 * 1024**2
_CALLS_MAX: Final = 64


class Text(Struct, frozen=True):
    """A piece of the answer."""

    text: str


class Reasoning(Struct, frozen=True):
    """A piece of what the model thought before it."""

    text: str


Piece = Text | Reasoning


class ToolCall(Struct):
    """`arguments` is JSON text, as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class AnswerReader:
    """Feed it the body of a stream, or give it a whole one.

    `is_done`: nothing that follows counts. `error`: what the gateway said went wrong in the middle. `output_pieces`:
    pieces of output so far, each at least one token. `text`: the answer so far, without reasoning.
    """

    def __init__(self) -> None:
        self.error = ""
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.output_pieces = 0
        self.text = ""
        self._events = EventDecoder()
        self._calls: dict[int, ToolCall] = {}
        self._details = ReasoningDetails()
        self._bytes = 0
        self.is_done = False

    def feed(self, data: bytes) -> list[Piece]:
        """What `data` completed, in order."""
        self._bytes += len(data)
        return self._take(self._events.feed(data))

    def close(self) -> list[Piece]:
        """End of the body. One that says nowhere that it is over was cut."""
        found = self._take(self._events.close())
        if not (self.error or self.is_done or self.finish_reason or self.usage):
            self.error = "the answer ended before its end"
        return found

    def take_whole(self, body: bytes) -> list[Piece]:
        """An answer that is one JSON object, from a gateway that does not stream."""
        body = body.removeprefix(BOM)
        if read_object(body) is None:
            self.error = "the gateway's answer is not JSON"
            return []
        found = list(self._read(body))
        self.text = "".join(piece.text for piece in found if isinstance(piece, Text))
        return found

    @property
    def calls(self) -> list[ToolCall]:
        """What the model wants to have done, in its order."""
        return [call for _, call in sorted(self._calls.items()) if call.name]

    def message(self) -> JsonObject:
        """The answer as the next request holds it; of one that failed, without its calls, which may lack a part."""
        message: JsonObject = {"role": "assistant", "content": self.text or None}
        if self.calls and not self.error:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments or "{}"},
                }
                for call in self.calls
            ]
        if details := self._details.merged():
            message["reasoning_details"] = details
        return message

    def _take(self, events: list[bytes]) -> list[Piece]:
        found: list[Piece] = []
        for event in events:
            if self.is_done or self.error:
                break
            if event.startswith(DONE):
                self.is_done = True
            else:
                found.extend(self._read(event))
        if (self._events.too_long or self._bytes > ANSWER_BYTES_MAX) and not self.error:
            self.error = "the gateway's answer is too large"
        self.text += "".join(piece.text for piece in found if isinstance(piece, Text))
        return found

    def _read(self, event: bytes) -> Iterator[Piece]:
        tree, envelope = read_object(event), read_envelope(event)
        if tree is None or envelope is None:
            return
        self.usage = read_usage(envelope.usage) or self.usage
        if tree.get("error"):
            self.error = error_text(tree, "the gateway reports an error") or "the gateway reports an error"
        choice = as_object(next(iter(as_list(tree.get("choices"))), None))
        self.finish_reason = as_text(choice.get("finish_reason")) or self.finish_reason
        yield from self._read_delta(as_object(choice.get("delta")) or as_object(choice.get("message")))

    def _read_delta(self, delta: JsonObject) -> Iterator[Piece]:
        told = self._details.add(as_list(delta.get("reasoning_details")))
        reasoning = as_text(delta.get("reasoning")) or as_text(delta.get("reasoning_content")) or told
        text = message_text(delta.get("content")) or as_text(delta.get("refusal"))
        calls = as_list(delta.get("tool_calls"))
        self.output_pieces += bool(reasoning or text or calls)
        if reasoning:
            yield Reasoning(reasoning)
        if text:
            yield Text(text)
        for call in calls:
            self._add_call(as_object(call))

    def _add_call(self, given: JsonObject) -> None:
        """By index; one without is the last one again, unless it brings another id."""
        call_id, function = as_text(given.get("id")), as_object(given.get("function"))
        index = as_index(given.get("index"))
        if index < 0:
            index = self._place(call_id)
        if index not in self._calls and len(self._calls) >= _CALLS_MAX:
            return
        call = self._calls.setdefault(index, ToolCall(id=f"call_{index}"))
        call.id = call_id or call.id
        call.name = call.name or as_text(function.get("name"))
        call.arguments += as_text(function.get("arguments"))

    def _place(self, call_id: str) -> int:
        last = max(self._calls, default=-1)
        is_new = last < 0 or (call_id and self._calls[last].id != call_id)
        return last + 1 if is_new else last
