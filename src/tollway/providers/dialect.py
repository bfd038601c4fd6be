"""Rules that several providers of one dialect share."""

from tollway.providers.rule import Attempt, Draft
from tollway.wire.edits import without


def without_stray_stream_options(draft: Draft, attempt: Attempt) -> Draft:
    """OpenAI refuses `stream_options` on a request that does not stream. Source: request-path 12.6.3."""
    return draft if attempt.stream else draft.with_body(without(draft.body, ("stream_options",)))


def ask_for_cost(draft: Draft, _: Attempt) -> Draft:
    """Else OpenRouter may answer with tokens but without money; a caller cannot switch it off (guarantees M3)."""
    given = draft.body.get("usage")
    return draft.with_members(usage={**(given if isinstance(given, dict) else {}), "include": True})
