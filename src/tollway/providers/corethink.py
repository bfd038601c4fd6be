"""CoreThink: refuses fields that it does not know. Source: request-path 11.9.8."""

from typing import Final

from tollway.providers.provider import Provider
from tollway.providers.rule import Attempt, Draft
from tollway.wire.edits import each, without
from tollway.wire.json_body import JsonValue

_UNKNOWN: Final = frozenset({"transforms", "prompt_cache_key", "safety_identifier", "description", "usage"})
_UNKNOWN_IN_MESSAGES: Final = frozenset({"reasoning", "reasoning_details"})


def leave_unknown(draft: Draft, _: Attempt) -> Draft:
    return draft.with_body(each(without(draft.body, _UNKNOWN), "messages", _without_reasoning))


def _without_reasoning(message: JsonValue) -> JsonValue:
    return without(message, _UNKNOWN_IN_MESSAGES)


PROVIDER: Final = Provider(
    id="corethink",
    name="CoreThink",
    dialect="openai",
    base_url="https://api.corethink.ai/v1/code",
    identifies_application=True,
    needs_key=True,
    rules=(leave_unknown,),
    source="https://api.corethink.ai",
    checked="2026-11-26",
)
