"""What a request tells about its prompt for accounting: first characters, lengths, an estimate of tokens. Pure.

Lengths count UTF-16 code units, as the clients and records that these figures are compared with do. Nothing here raises
for what callers send. Source: request-path 0.5.1, 13.7 to 13.9.
"""

from typing import Final

from msgspec import Struct

from tollway.wire.json_body import JsonObject, JsonValue

PREFIX_UNITS: Final = 100
_SYSTEM_ROLES: Final = ("system", "developer")
_MIDDLE_OUT: Final = "middle-out"
_STORED_MAX: Final = 2**63 - 1


class PromptInfo(Struct, frozen=True):
    """`system_length` in UTF-16 units; -1 where the messages cannot be read. Prefixes hold PREFIX_UNITS units at most;
    a cut through a surrogate pair leaves a lone surrogate."""

    system_prefix: str
    system_length: int
    user_prefix: str


UNREADABLE: Final = PromptInfo("", -1, "")


def prompt_info(body: JsonObject, has_prefixes: bool) -> PromptInfo:
    """`has_prefixes`: prompts may be stored, by whoever's wish counts; without it only the length is told."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return UNREADABLE
    texts = []
    for message in messages:  # every request's: a loop is twice as fast here as what reads more nicely
        if not isinstance(message, dict):
            return UNREADABLE
        if message.get("role") in _SYSTEM_ROLES:
            texts.append(_text_of(message))
    system = "\n".join(texts)
    length = utf16_length(system)
    if not has_prefixes:
        return PromptInfo("", length, "")
    user = next((_text_of(message) for message in reversed(messages) if message.get("role") == "user"), "")
    return PromptInfo(utf16_prefix(system, PREFIX_UNITS), length, utf16_prefix(user, PREFIX_UNITS))


def estimate_tokens(body: JsonObject) -> float:
    """Prompt tokens, and by the same figure those of the completion: a quarter of the text's length, not rounded."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return 0.0
    return sum(_units_of(message.get("content")) for message in messages if isinstance(message, dict)) / 4


def has_middle_out(body: JsonObject) -> bool:
    """Whether the caller wants the middle of a long prompt left out."""
    transforms = body.get("transforms")
    return isinstance(transforms, list) and _MIDDLE_OUT in transforms


def is_streaming(body: JsonObject) -> bool:
    """Only `true` asks for a stream."""
    return body.get("stream") is True


def max_tokens(body: JsonObject) -> int | None:
    """As the caller wrote it, if that is a whole number that can be stored."""
    value = body.get("max_tokens")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _STORED_MAX else None


def has_tools(body: JsonObject) -> bool:
    return bool(body.get("tools"))


def prompt_texts(body: JsonObject) -> tuple[str | None, str | None]:
    """The whole text of the last user message, and that of all system messages joined by line feeds; None for none."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return None, None
    known = [message for message in messages if isinstance(message, dict)]
    user = next((_text_of(message) for message in reversed(known) if message.get("role") == "user"), None)
    system = "\n".join(_text_of(message) for message in known if message.get("role") in _SYSTEM_ROLES)
    return user, system or None


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_prefix(text: str, units: int) -> str:
    """The first `units` code units, which may end in half a pair."""
    head = text[:units]
    return (
        head
        if head.isascii()
        else head.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "surrogatepass")
    )


def _text_of(message: JsonObject) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(_text_parts(content))


def _text_parts(content: JsonValue) -> list[str]:
    """The texts of a message in parts. One that has none counts as empty."""
    if not isinstance(content, list):
        return []
    parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
    return [text if isinstance(text := part.get("text"), str) else "" for part in parts]


def _units_of(content: JsonValue) -> int:
    if isinstance(content, str):
        return utf16_length(content)
    return sum(utf16_length(text) + 1 for text in _text_parts(content))
