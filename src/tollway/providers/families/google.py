"""Gemini models. Source: request-path 11.7 and 11.9.3."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target
from tollway.providers.tool_choice import is_function, require_tool
from tollway.providers.vercel import ID as VERCEL
from tollway.wire.edits import changed_at, each, without
from tollway.wire.json_body import JsonValue

VENDOR: Final = "google"

_GEMINI: Final = "google/gemini"
_TOOL: Final = "read_file"
_LINE_RANGES: Final = ("function", "parameters", "properties", "files", "items", "properties", "line_ranges")


def rules(target: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    if not target.model.startswith(_GEMINI):
        return ()
    return (require_tool, plain_line_ranges) if target.provider_id == VERCEL else (require_tool,)


def plain_line_ranges(draft: Draft, _: Attempt) -> Draft:
    """Vercel's translation to Gemini refuses an array that may be null, when both are said by one `type`."""
    return draft.with_body(each(draft.body, "tools", _with_plain_line_ranges))


def _with_plain_line_ranges(tool: JsonValue) -> JsonValue:
    return changed_at(tool, _LINE_RANGES, _as_alternatives) if is_function(tool, _TOOL) else tool


def _as_alternatives(schema: JsonValue) -> JsonValue:
    if schema.__class__ is not dict or "type" not in schema or "items" not in schema:
        return schema
    alternatives = [{"type": "null"}, {"type": "array", "items": schema["items"]}]
    return {**without(schema, ("type", "items")), "anyOf": alternatives}
