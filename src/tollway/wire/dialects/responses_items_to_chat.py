"""Input items of a Responses request as chat messages.

The API lists reasoning, text and calls of one assistant turn as items side by side; a chat message holds all three.
"""

from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from tollway.wire.dialects.details import ENCRYPTED, OPENAI, TEXT, Detail, written_detail
from tollway.wire.dialects.packed_details import unpack_details
from tollway.wire.dialects.refusal import RefusedError
from tollway.wire.json_body import JsonObject, JsonValue

DETAILS_MAX: Final = 20_000  # they may come packed, where no other limit sees them

_TEXTS: Final = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}  # by part type
# Newer models tell instructions of the developer from those of the system; other providers know the latter only.
_ROLES: Final = {"user": "user", "system": "system", "developer": "system", "assistant": "assistant"}
_TYPE_CHARS_MAX: Final = 64


def read_items(items: list[JsonValue]) -> list[JsonObject]:
    """The messages. Raises RefusedError."""
    conversation = _Conversation()
    for place, item in enumerate(items):
        at = f"input[{place}]"
        if item.__class__ is not dict:
            raise RefusedError(f"{at}: Input items must be objects.")
        kind = item.get("type", "message")
        if kind == "message":
            _read_message(conversation, item, at)
        elif kind == "reasoning":
            conversation.think(*_read_reasoning(item), at)
        elif kind == "function_call":
            conversation.turn().calls.append(_read_call(item, at))
        elif kind == "function_call_output":
            output = read_content(item.get("output"), f"{at}.output")
            conversation.add({"role": "tool", "tool_call_id": _text(item, "call_id", at), "content": output})
        elif kind == "item_reference":
            raise RefusedError(f"{at}: Responses are not stored here: send the items themselves.")
        else:
            raise RefusedError(f"{at}: Items of type {shown_type(kind)} are not supported.")
    return conversation.end()


class _Turn(Struct):
    """One assistant message in the making."""

    parts: list[JsonObject] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    calls: list[JsonObject] = field(default_factory=list)

    def message(self) -> JsonObject:
        content = plain(self.parts) if self.parts else None
        message: JsonObject = {"role": "assistant", "content": content if content or self.calls else ""}
        if self.reasoning:
            message["reasoning"] = "".join(self.reasoning)
        if self.details:
            numbered = [replace(detail, index=place) for place, detail in enumerate(self.details)]
            message["reasoning_details"] = [written_detail(detail) for detail in numbered]
        if self.calls:
            message["tool_calls"] = self.calls
        return message


class _Conversation:
    """Messages so far, and the assistant's turn that may still grow."""

    def __init__(self) -> None:
        self._messages: list[JsonObject] = []
        self._turn: _Turn | None = None
        self._details_left = DETAILS_MAX

    def add(self, message: JsonObject) -> None:
        self.end().append(message)

    def turn(self) -> _Turn:
        self._turn = self._turn or _Turn()
        return self._turn

    def turn_to_think(self) -> _Turn:
        """The turn, for reasoning or text: a new one behind text, so that what was said keeps its order. A turn with
        calls goes on, because their results must follow the message that has them."""
        if self._turn and self._turn.parts and not self._turn.calls:
            self.end()
        return self.turn()

    def think(self, texts: list[str], details: list[Detail], at: str) -> None:
        turn = self.turn_to_think()
        turn.reasoning += texts
        turn.details += details
        self._details_left -= len(details)
        if self._details_left < 0:
            raise RefusedError(f"{at}: The input has too much reasoning.")

    def end(self) -> list[JsonObject]:
        if self._turn:
            self._messages.append(self._turn.message())
            self._turn = None
        return self._messages


def _read_message(conversation: _Conversation, item: JsonObject, at: str) -> None:
    role = item.get("role")
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        raise RefusedError(f"{at}.role: Messages are from user, assistant, system or developer.")
    content = item.get("content")
    if known == "assistant":
        conversation.turn_to_think().parts += read_parts(content, f"{at}.content")
    else:
        conversation.add({"role": known, "content": read_content(content, f"{at}.content")})


def _read_call(item: JsonObject, at: str) -> JsonObject:
    function = {"name": _text(item, "name", at), "arguments": _text(item, "arguments", at)}
    return {"id": _text(item, "call_id", at), "type": "function", "function": function}


def _read_reasoning(item: JsonObject) -> tuple[list[str], list[Detail]]:
    """Its plain texts, or its details. Without encrypted content it proves nothing to whoever made it, so it is only
    text."""
    texts = _listed_texts(item.get("summary")) or _listed_texts(item.get("content"))
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed:
        return texts, []
    packed = unpack_details(sealed)
    if packed is not None:
        return [], packed
    id_ = item["id"] if isinstance(item.get("id"), str) else None
    details = [Detail(TEXT, text, OPENAI, id=id_) for text in texts]
    return [], [*details, Detail(ENCRYPTED, sealed, OPENAI, id=id_)]


def _listed_texts(parts: JsonValue) -> list[str]:
    found = [part.get("text") for part in parts if part.__class__ is dict] if parts.__class__ is list else []
    return [text for text in found if isinstance(text, str) and text]


def read_content(content: JsonValue, at: str) -> str | list[JsonObject]:
    """A text, or parts where there is more than one text. Raises RefusedError."""
    return plain(read_parts(content, at))


def read_parts(content: JsonValue, at: str) -> list[JsonObject]:
    """Content of a message or a call's output as chat parts. Raises RefusedError."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if content.__class__ is not list:
        raise RefusedError(f"{at}: Content must be text or a list of parts.")
    return [_read_part(part, f"{at}[{place}]") for place, part in enumerate(content)]


def plain(parts: list[JsonObject]) -> str | list[JsonObject]:
    """One text alone as a string, which every provider takes."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def _read_part(part: JsonValue, at: str) -> JsonObject:
    if part.__class__ is not dict:
        raise RefusedError(f"{at}: Parts must be objects.")
    kind = part.get("type")
    if isinstance(kind, str) and kind in _TEXTS:
        return {"type": "text", "text": _text(part, _TEXTS[kind], at)}
    if kind == "input_image":
        image = {"url": _inline(part, "image_url", at)}
        detail = part.get("detail")
        return {"type": "image_url", "image_url": {**image, "detail": detail} if isinstance(detail, str) else image}
    if kind == "input_file":
        file = {"file_data": _inline(part, "file_url" if part.get("file_url") else "file_data", at)}
        name = part.get("filename")
        return {"type": "file", "file": {"filename": name, **file} if isinstance(name, str) else file}
    if kind == "input_audio" and part.get("input_audio").__class__ is dict:
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    raise RefusedError(f"{at}: Parts of type {shown_type(kind)} are not supported.")


def _inline(part: JsonObject, name: str, at: str) -> str:
    if part.get("file_id") is not None:
        raise RefusedError(f"{at}.file_id: Files are not stored here: send the content or an address.")
    return _text(part, name, at)


def _text(holder: JsonObject, name: str, at: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise RefusedError(f"{at}.{name}: must be a text.")
    return value


def shown_type(kind: JsonValue) -> str:
    """The name of a type, fit to be shown to whoever sent it."""
    return f"`{kind[:_TYPE_CHARS_MAX]}`" if isinstance(kind, str) else "unknown"
