"""Mistral's models, and whatever Mistral itself serves. Source: request-path 11.9.6."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target
from tollway.providers.tool_choice import require_tool
from tollway.wire.edits import changed_at, each, without
from tollway.wire.json_body import JsonValue
from tollway.wire.tool_call_ids import MISTRAL_ID_CHARS, has_other_length, normalise_tool_call_ids

VENDOR: Final = "mistralai"
TEMPERATURE: Final = 0.2


def set_temperature(draft: Draft, _: Attempt) -> Draft:
    """Unless the caller says something, and be it null."""
    return draft if "temperature" in draft.body else draft.with_members(temperature=TEMPERATURE)


def leave_strictness(draft: Draft, _: Attempt) -> Draft:
    return draft.with_body(each(draft.body, "tools", _not_strict))


def rename_calls(draft: Draft, _: Attempt) -> Draft:
    """Ids of tool calls have exactly so many characters here."""
    return draft.with_body(changed_at(draft.body, ("messages",), _of_nine))


def _of_nine(messages: JsonValue) -> JsonValue:
    return normalise_tool_call_ids(messages, has_other_length, MISTRAL_ID_CHARS)


RULES: Final[tuple[Rule, ...]] = (set_temperature, rename_calls, leave_strictness, require_tool)


def rules(_: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    return RULES


def _not_strict(tool: JsonValue) -> JsonValue:
    if tool.__class__ is not dict or tool.get("type") != "function":
        return tool
    return changed_at(tool, ("function",), _without_strict)


def _without_strict(function: JsonValue) -> JsonValue:
    return without(function, ("strict",))
