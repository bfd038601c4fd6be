"""Output items of a Responses answer in the making: what each adds to a stream, and what it is when it is done.

An event is its type and its members but those that every event of an item has (`item_id`, `output_index`).
"""

from typing import Final, Protocol, TypeAlias

from msgspec import Struct, field

from tollway.wire.dialects.chat_output import NO_ARGUMENTS
from tollway.wire.dialects.details import ENCRYPTED, OPENAI, Detail
from tollway.wire.dialects.packed_details import pack_details
from tollway.wire.json_body import JsonObject

Event: TypeAlias = tuple[str, JsonObject]

OUTPUT_TEXT: Final = "output_text"
REFUSAL: Final = "refusal"

IN_PROGRESS: Final = "in_progress"


class Item(Protocol):
    """An item that may still grow."""

    id: str

    def ended(self) -> list[Event]:
        """What is told when nothing more comes, before `output_item.done`."""
        ...

    def value(self, status: str) -> JsonObject:
        """The item as it is now. status: in_progress, completed or incomplete."""
        ...


class _Part(Struct):
    """One part of a message; a refusal has its own words for everything."""

    kind: str
    pieces: list[str] = field(default_factory=list)

    def value(self) -> JsonObject:
        if self.kind == REFUSAL:
            return {"type": REFUSAL, "refusal": "".join(self.pieces)}
        return {"type": OUTPUT_TEXT, "annotations": [], "logprobs": [], "text": "".join(self.pieces)}


class MessageItem(Struct):
    """What the assistant says."""

    id: str
    parts: list[_Part] = field(default_factory=list)

    def add(self, kind: str, text: str) -> list[Event]:
        """kind: OUTPUT_TEXT or REFUSAL."""
        events: list[Event] = []
        if not self.parts or self.parts[-1].kind != kind:
            events = self.ended()
            self.parts.append(_Part(kind))
            events.append(("response.content_part.added", self._placed({"part": self.parts[-1].value()})))
        self.parts[-1].pieces.append(text)
        more: JsonObject = {"logprobs": []} if kind == OUTPUT_TEXT else {}
        return [*events, (f"response.{kind}.delta", self._placed({"delta": text, **more}))]

    def ended(self) -> list[Event]:
        if not self.parts:
            return []
        part = self.parts[-1].value()
        told: JsonObject = {name: part[name] for name in ("refusal", "text", "logprobs") if name in part}
        return [
            (f"response.{part['type']}.done", self._placed(told)),
            ("response.content_part.done", self._placed({"part": part})),
        ]

    def _placed(self, members: JsonObject) -> JsonObject:
        return {"content_index": len(self.parts) - 1, **members}

    def value(self, status: str) -> JsonObject:
        content = [part.value() for part in self.parts]
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}


class CallItem(Struct):
    """A call of a function."""

    id: str
    call_id: str
    name: str
    pieces: list[str] = field(default_factory=list)

    def add(self, name: str, fragment: str) -> list[Event]:
        """name: empty where it was told before."""
        self.name = self.name or name
        if not fragment:
            return []
        self.pieces.append(fragment)
        return [("response.function_call_arguments.delta", {"delta": fragment})]

    def ended(self) -> list[Event]:
        """A call without a fragment still has arguments: clients cannot parse an empty text."""
        events = [] if self.pieces else self.add("", NO_ARGUMENTS)
        done = {"name": self.name, "arguments": "".join(self.pieces)}
        return [*events, ("response.function_call_arguments.done", done)]

    def value(self, status: str) -> JsonObject:
        return {
            "id": self.id,
            "type": "function_call",
            "status": status,
            "arguments": "".join(self.pieces),
            "call_id": self.call_id,
            "name": self.name,
        }


_Key: TypeAlias = tuple[str, int | None]


class _Merged(Struct):
    """A detail put together from those of one kind and index."""

    detail: Detail
    pieces: list[str] = field(default_factory=list)

    def add(self, detail: Detail) -> None:
        old = self.detail
        self.detail = Detail(
            old.kind, "", detail.format or old.format, detail.signature or old.signature, detail.id or old.id
        )
        self.pieces.append(detail.content)

    def value(self) -> Detail:
        one = self.detail
        content = self.pieces[-1] if one.kind == ENCRYPTED else "".join(self.pieces)
        return Detail(one.kind, content, one.format, one.signature, one.id)


class ReasoningItem(Struct):
    """What the model thought. `source_id`: the id that the first detail had, of which the rest must be. `parts` are
    those of the summary; the last one tells the text of the detail `told`, and ends when another's comes."""

    id: str
    source_id: str | None = None
    details: dict[_Key, _Merged] = field(default_factory=dict)
    parts: list[list[str]] = field(default_factory=list)
    told: _Key | None = None

    def takes(self, detail: Detail) -> bool:
        return detail.id is None or detail.id == self.source_id

    def add(self, detail: Detail) -> list[Event]:
        key = (detail.kind, detail.index)
        self.details.setdefault(key, _Merged(detail)).add(detail)
        if detail.kind == ENCRYPTED or not detail.content:
            return []
        events: list[Event] = []
        if key != self.told:
            events = self.ended()
            self.parts.append([])
            self.told = key
            events.append(("response.reasoning_summary_part.added", self._placed({"part": _text("")})))
        self.parts[-1].append(detail.content)
        return [*events, ("response.reasoning_summary_text.delta", self._placed({"delta": detail.content}))]

    def ended(self) -> list[Event]:
        if not self.parts:
            return []
        text = "".join(self.parts[-1])
        return [
            ("response.reasoning_summary_text.done", self._placed({"text": text})),
            ("response.reasoning_summary_part.done", self._placed({"part": _text(text)})),
        ]

    def _placed(self, members: JsonObject) -> JsonObject:
        return {"summary_index": len(self.parts) - 1, **members}

    def value(self, status: str) -> JsonObject:
        """OpenAI's own reasoning as it was; other reasoning with what its provider needs packed into the place of what
        clients do not read. Without any proof it is only text."""
        details = [merged.value() for merged in self.details.values()]
        summary = [_text("".join(pieces)) for pieces in self.parts]
        item: JsonObject = {"id": self.id, "type": "reasoning", "summary": summary}
        sealed = {detail.content for detail in details if detail.kind == ENCRYPTED}
        if status == IN_PROGRESS or not (sealed or any(detail.signature for detail in details)):
            return item
        is_native = len(sealed) == 1 and all(one.format == OPENAI and one.id == self.id for one in details)
        packed = sealed.pop() if is_native else pack_details(details)
        return {**item, "encrypted_content": packed}


def _text(text: str) -> JsonObject:
    return {"type": "summary_text", "text": text}
