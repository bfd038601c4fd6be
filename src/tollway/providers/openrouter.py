"""OpenRouter: an aggregator whose answers carry their cost, so that is what is charged."""

from typing import Final

from tollway.catalog.client_listing import OPENROUTER_LIST
from tollway.providers.client_access import ClientAccess
from tollway.providers.dialect import ask_for_cost
from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="openrouter",
    name="OpenRouter",
    dialect="openrouter",
    base_url="https://openrouter.ai/api/v1",
    reports_cost=True,
    identifies_application=True,
    generation_lookup=True,
    needs_key=True,
    obeys_order=True,
    rules=(ask_for_cost,),
    source="https://openrouter.ai/docs/api-reference/chat-completion",
    checked="2026-11-20",
    client=ClientAccess(
        key_variables=("OPENROUTER_API_KEY",),
        listing=OPENROUTER_LIST,
        has_public_list=True,
        popularity=4,
        site="https://openrouter.ai",
    ),
)
