"""Cache breakpoints for Anthropic's models: the system message and the newest input are marked as worth keeping.

Clients that mark their system message themselves know better, and nothing is added. Source: request-path 11.6.2.
"""

from typing import Final

from tollway.wire.json_body import JsonObject, JsonValue

_MARK: Final = "cache_control"
_INPUT: Final = ("user", "tool")


def mark_cache_breakpoints(messages: JsonValue) -> JsonValue:
    """The messages with up to two marks more; the same list when there is nothing to mark.

    messages: those of a chat request, a list of objects; anything else is returned as it is. Nothing in it is edited.
    """
    if messages.__class__ is not list:
        return messages
    system = next((at for at, message in enumerate(messages) if message.get("role") == "system"), None)
    if system is None or _is_marked(messages[system]):
        return messages
    last = next((at for at in reversed(range(len(messages))) if messages[at].get("role") in _INPUT), system)
    marked = {at: _marked(messages[at]) for at in (system, last)}
    if all(message is messages[at] for at, message in marked.items()):
        return messages
    changed = list(messages)
    for at, message in marked.items():
        changed[at] = message
    return changed


def _is_marked(message: JsonObject) -> bool:
    content = message.get("content")
    parts = content if content.__class__ is list else ()
    return any(one.__class__ is dict and one.get(_MARK) is not None for one in (message, *parts))


def _marked(message: JsonObject) -> JsonObject:
    """A mark stands on a part of the content; what has no part to carry it stays as it is."""
    content = message.get("content")
    if content.__class__ is str:
        return {**message, "content": [{"type": "text", "text": content, _MARK: _ephemeral()}]}
    if content.__class__ is not list or not content or content[-1].__class__ is not dict:
        return message
    if content[-1].get(_MARK) is not None:
        return message
    return {**message, "content": [*content[:-1], {**content[-1], _MARK: _ephemeral()}]}


def _ephemeral() -> JsonObject:
    return {"type": "ephemeral"}
