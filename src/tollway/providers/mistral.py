"""Mistral's own API: refuses what it does not know, and keeps a conversation at one cache by a header.

Source: request-path 11.9.7.
"""

from typing import Final

from tollway.catalog.client_listing import PLAIN_LIST
from tollway.providers.client_access import ClientAccess
from tollway.providers.families.mistral import RULES
from tollway.providers.provider import Provider
from tollway.providers.rule import Attempt, Draft, header_text
from tollway.wire.edits import each, without
from tollway.wire.json_body import JsonValue

_UNKNOWN: Final = frozenset(
    {"reasoning", "reasoning_effort", "transforms", "safety_identifier", "prompt_cache_key", "user", "provider"}
)


def leave_unknown(draft: Draft, _: Attempt) -> Draft:
    """What it would refuse goes; the cache key goes as a header."""
    body = each(without(draft.body, _UNKNOWN), "messages", _without_details)
    affinity = header_text(draft.body.get("prompt_cache_key"))
    return Draft(body, {**draft.headers, "x-affinity": affinity} if affinity else draft.headers)


def _without_details(message: JsonValue) -> JsonValue:
    return without(message, ("reasoning_details",))


PROVIDER: Final = Provider(
    id="mistral",
    name="Mistral",
    dialect="openai",
    base_url="https://api.mistral.ai/v1",
    identifies_application=True,
    needs_key=True,
    rules=(leave_unknown, *RULES),
    source="https://docs.mistral.ai/api",
    checked="2026-11-26",
    client=ClientAccess(key_variables=("MISTRAL_API_KEY",), listing=PLAIN_LIST, site="https://mistral.ai"),
)
