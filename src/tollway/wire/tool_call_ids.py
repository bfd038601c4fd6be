"""Tool-call ids as some models want them: an id they would refuse is replaced by a hash of it.

A call and its result are hashed alike, so pairs stay matched. Source: request-path 11.9.1, 11.6.3, 11.9.6.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeAlias

from tollway.wire.json_body import JsonObject, JsonValue

Applies: TypeAlias = Callable[[str], bool]

MISTRAL_ID_CHARS: Final = 9


def normalise_tool_call_ids(messages: JsonValue, applies: Applies, digits: int | None = None) -> JsonValue:
    """The messages with every id for which `applies` replaced; the same list when there is none.

    messages: those of a chat request, a list of objects; anything else is returned as it is. Nothing in it is edited.
    digits: hexadecimal digits of the hash to keep, all 64 if None.
    """
    if messages.__class__ is not list:
        return messages
    renamed: list[JsonObject] | None = None
    for at, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            other = _renamed(message, "tool_call_id", applies, digits)
        elif role == "assistant" and "tool_calls" in message:
            other = _with_calls_renamed(message, applies, digits)
        else:
            continue
        if other is not message:
            if renamed is None:
                renamed = list(messages)
            renamed[at] = other
    return messages if renamed is None else renamed


def has_dot(id_: str) -> bool:
    """Which ids Anthropic's models refuse. Source: request-path 11.6.3."""
    return "." in id_


def has_other_length(id_: str) -> bool:
    """Which ids Mistral's models refuse; length is in UTF-16 code units. Source: request-path 11.9.6, 0.5.1."""
    length = len(id_) if id_.isascii() else len(id_.encode("utf-16-le")) // 2
    return length != MISTRAL_ID_CHARS


def _with_calls_renamed(message: JsonObject, applies: Applies, digits: int | None) -> JsonObject:
    calls = message["tool_calls"]
    if calls.__class__ is not list:
        return message
    changed = False
    renamed = []
    for call in calls:
        other = _renamed(call, "id", applies, digits) if call.__class__ is dict else call
        changed = changed or other is not call
        renamed.append(other)
    return {**message, "tool_calls": renamed} if changed else message


def _renamed(holder: JsonObject, name: str, applies: Applies, digits: int | None) -> JsonObject:
    id_ = holder.get(name)
    if id_.__class__ is not str or not applies(id_):
        return holder
    return {**holder, name: sha256(id_.encode()).hexdigest()[:digits]}
