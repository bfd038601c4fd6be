"""The messages of a chat request, checked for what no other dialect can express.

Source: response-path 5.3.
"""

from collections.abc import Iterator
from typing import Final

from tollway.wire.dialects.refusal import RefusedError, unsupported_role
from tollway.wire.json_body import BodyError, JsonObject, JsonValue, decode_object

SYSTEM: Final = "system"
USER: Final = "user"
ASSISTANT: Final = "assistant"
TOOL: Final = "tool"

_ROLES: Final = {SYSTEM: SYSTEM, "developer": SYSTEM, USER: USER, ASSISTANT: ASSISTANT, TOOL: TOOL}


def messages_of(body: JsonObject) -> list[tuple[str, JsonObject]]:
    """(role, message) in order; `developer` is `system`.

    Raises RefusedError for an unknown role, and for a tool call whose result does not come before the next user or
    system message or the end: providers refuse that. Tool repair, which runs earlier, leaves only calls whose result
    comes too late.
    """
    found: list[tuple[str, JsonObject]] = []
    unanswered: set[str] = set()
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        written = message.get("role")
        role = _ROLES.get(written) if isinstance(written, str) else None
        if role is None:
            raise unsupported_role(written)
        if role == TOOL:
            unanswered.discard(call_id(message.get("tool_call_id")))
        elif role == ASSISTANT:
            unanswered.update(id_ for id_, _, _ in tool_calls_of(message))
        elif unanswered:
            raise _without_result()
        found.append((role, message))
    if unanswered:
        raise _without_result()
    return found


def _without_result() -> RefusedError:
    return RefusedError("A tool call has no result")


def tool_calls_of(message: JsonObject) -> Iterator[tuple[str, str, JsonValue]]:
    """(id, name, arguments as written) of an assistant message's function calls."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            name = function.get("name")
            yield call_id(call.get("id")), name if isinstance(name, str) else "", function.get("arguments")


def call_id(id_: JsonValue) -> str:
    """Other dialects want text."""
    return "" if id_ is None else str(id_)


def arguments_object(arguments: JsonValue) -> JsonObject:
    """A call's arguments as an object. What a model wrote stays usable: what is none becomes one."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        return decode_object(arguments.encode())
    except BodyError:
        return {"raw_arguments": arguments}
