"""Which tools a request offers and which its history has called, by kind and name; never their arguments. Pure.

Source: response-path 9.2. Names are cut and lists are bounded, because they are stored.
"""

from typing import Final

from tollway.wire.json_body import JsonValue

NAMES_MAX: Final = 1_000
NAME_CHARS_MAX: Final = 128
_UNKNOWN: Final = "unknown"
_KINDS: Final = ("function", "custom")


def tools_available(tools: JsonValue) -> tuple[str, ...]:
    """Each of the request's `tools` as `<type>:<name>`, in order, repetitions included; () for none."""
    return tuple(map(_name_of, tools[:NAMES_MAX])) if tools.__class__ is list else ()


def tools_used(messages: JsonValue) -> tuple[str, ...]:
    """The same of every call of every assistant message: what was used before, not what the answer will use."""
    if messages.__class__ is not list:
        return ()
    names: list[str] = []
    for message in messages:
        calls = message.get("tool_calls")
        if calls.__class__ is list and message.get("role") == "assistant":
            names += map(_name_of, calls[: NAMES_MAX - len(names)])
    return tuple(names)


def _name_of(tool: JsonValue) -> str:
    """Of a tool or of a call, which name themselves alike."""
    kind = tool.get("type") if tool.__class__ is dict else None
    if kind not in _KINDS:
        return f"{_UNKNOWN}:{_UNKNOWN}"
    named = tool.get(kind)
    name = named.get("name") if named.__class__ is dict else None
    trimmed = name.strip()[:NAME_CHARS_MAX].replace("\0", "") if name.__class__ is str else ""
    return f"{kind}:{trimmed or _UNKNOWN}"
