"""OpenRouter: an aggregator whose answers carry their cost, so that is what is charged."""

from typing import Final

from tollway.providers.provider import Provider
from tollway.wire.json_body import JsonObject


def _ask_for_cost(body: JsonObject, _: bool) -> JsonObject:
    """Without this an answer may carry tokens but no money; a caller cannot switch it off (guarantees M3)."""
    given = body.get("usage")
    return {**body, "usage": {**(given if isinstance(given, dict) else {}), "include": True}}


PROVIDER: Final = Provider(
    id="openrouter",
    name="OpenRouter",
    dialect="openrouter",
    base_url="https://openrouter.ai/api/v1",
    reports_cost=True,
    identifies_application=True,
    generation_lookup=True,
    shape=_ask_for_cost,
    source="https://openrouter.ai/docs/api-reference/chat-completion",
    checked="2026-11-20",
)
