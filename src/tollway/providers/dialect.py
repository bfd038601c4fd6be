"""Rules that several providers of one dialect share."""

from collections.abc import Mapping
from typing import Final

from tollway.providers.rule import Attempt, Draft
from tollway.wire.edits import without
from tollway.wire.json_body import JsonObject

_THINKS_OR_NOT: Final = "google"  # of these models as of no others, OpenRouter's dialect can turn thinking off
_NO_THINKING: Final[Mapping[bool, JsonObject]] = {True: {"enabled": False}, False: {"effort": "minimal"}}


def without_stray_stream_options(draft: Draft, attempt: Attempt) -> Draft:
    """OpenAI refuses `stream_options` on a request that does not stream. Source: request-path 12.6.3."""
    return draft if attempt.stream else draft.with_body(without(draft.body, ("stream_options",)))


def ask_for_cost(draft: Draft, _: Attempt) -> Draft:
    """Else OpenRouter may answer with tokens but without money; a caller cannot switch it off (guarantees M3)."""
    given = draft.body.get("usage")
    return draft.with_members(usage={**(given if isinstance(given, dict) else {}), "include": True})


def least_reasoning(model_id: str) -> JsonObject:
    """`reasoning` in OpenRouter's dialect for titles, summaries and the like. Source: catalog-and-clients C.9.4."""
    return _NO_THINKING[_THINKS_OR_NOT in model_id.lower()]
