"""Tool repair: every call of a turn has one result in that turn, and every result belongs to a call of its turn.

Clients that were interrupted, or that shorten their history, send calls without results and results without calls;
upstreams refuse both. A turn is an assistant message with everything up to the next one. Source: request-path 11.3.
"""

from typing import Final

from msgspec import Struct, field

from tollway.wire.json_body import JsonObject, JsonValue

INTERRUPTED: Final = "Tool execution was interrupted before completion."
NAMED_MAX: Final = 10
NAME_CHARS_MAX: Final = 64
_IDS: Final = frozenset({str, int, float})  # what can pair a call with a result; whatever else a call has is left alone


class NamedCall(Struct, frozen=True):
    """Which call, for the log; both texts are cut short, and "" where the client gave none."""

    tool: str
    id: str


class Changes(Struct):
    """Changes of one kind: how many, and the first few of them."""

    count: int = 0
    first: list[NamedCall] = field(default_factory=list)

    def add(self, tool: JsonValue, id_: JsonValue) -> None:
        self.count += 1
        if len(self.first) < NAMED_MAX:
            self.first.append(NamedCall(_short(tool), _short(id_)))


class ToolRepair(Struct):
    """What was changed, without contents."""

    removed_calls: Changes = field(default_factory=Changes)
    inserted_results: Changes = field(default_factory=Changes)
    deleted_results: Changes = field(default_factory=Changes)


def repair_tools(messages: JsonValue) -> tuple[JsonValue, ToolRepair | None]:
    """The messages repaired, and what was changed; the same list and None when there is nothing to repair.

    messages: those of a chat request, a list of objects; anything else is returned as it is. Nothing in it is edited.
    """
    if messages.__class__ is not list or _is_whole(messages):
        return messages, None
    repair = ToolRepair()
    tools: dict[JsonValue, JsonValue] = {}  # by call id, of all turns so far
    repaired: list[JsonObject] = []
    for turn in _turns(messages):
        repaired += _repair_turn(turn, tools, repair)
    return repaired, repair


def _is_whole(messages: list[JsonObject]) -> bool:
    """Whether repair would change nothing; all that an ordinary request pays."""
    unanswered: set[JsonValue] = set()
    for message in messages:
        role = message.get("role")
        if role == "tool":
            id_ = message.get("tool_call_id")
            if id_.__class__ not in _IDS or id_ not in unanswered:
                return False
            unanswered.remove(id_)
        elif role == "assistant":
            if unanswered:
                return False
            calls = message.get("tool_calls")
            if calls.__class__ is list:
                for call in calls:
                    id_ = call.get("id") if call.__class__ is dict else None
                    if id_.__class__ in _IDS:
                        if id_ in unanswered:
                            return False
                        unanswered.add(id_)
    return not unanswered


def _turns(messages: list[JsonObject]) -> list[list[JsonObject]]:
    """Each begins with an assistant message, except for the first one."""
    turns: list[list[JsonObject]] = [[]]
    for message in messages:
        if message.get("role") == "assistant":
            turns.append([])
        turns[-1].append(message)
    return turns


def _repair_turn(turn: list[JsonObject], tools: dict[JsonValue, JsonValue], repair: ToolRepair) -> list[JsonObject]:
    head: list[JsonObject] = []
    unanswered: dict[JsonValue, JsonValue] = {}  # tools by call id, in the order of the calls
    if turn and turn[0].get("role") == "assistant":
        assistant, unanswered = _with_single_calls(turn[0], repair)
        head.append(assistant)
        tools.update(unanswered)
    kept: list[JsonObject] = []
    for message in turn[len(head) :]:
        if message.get("role") == "tool":
            id_ = message.get("tool_call_id")
            is_id = id_.__class__ in _IDS
            if not is_id or id_ not in unanswered:
                repair.deleted_results.add(message.get("name") or (tools.get(id_) if is_id else None), id_)
                continue
            del unanswered[id_]
        kept.append(message)
    for id_, tool in unanswered.items():
        repair.inserted_results.add(tool, id_)
        head.append({"role": "tool", "tool_call_id": id_, "content": INTERRUPTED})
    return head + kept


def _with_single_calls(assistant: JsonObject, repair: ToolRepair) -> tuple[JsonObject, dict[JsonValue, JsonValue]]:
    """The message with the first call of each id, and the tool of each id."""
    calls = assistant.get("tool_calls")
    tools: dict[JsonValue, JsonValue] = {}
    if calls.__class__ is not list:
        return assistant, tools
    kept = []
    for call in calls:
        id_ = _id_of(call)
        if id_ in tools:
            repair.removed_calls.add(_tool_of(call), id_)
            continue
        if id_ is not None:
            tools[id_] = _tool_of(call)
        kept.append(call)
    return (assistant if len(kept) == len(calls) else {**assistant, "tool_calls": kept}), tools


def _id_of(call: JsonValue) -> JsonValue:
    """What a result can name the call by; None for nothing."""
    id_ = call.get("id") if call.__class__ is dict else None
    return id_ if id_.__class__ in _IDS else None


def _tool_of(call: JsonObject) -> JsonValue:
    function = call.get("function")
    return function.get("name") if function.__class__ is dict else None


def _short(text: JsonValue) -> str:
    return str(text)[:NAME_CHARS_MAX] if text.__class__ in _IDS else ""
