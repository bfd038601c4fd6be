"""FastRouter: an aggregator that speaks OpenRouter's dialect, so only its address and key are its own."""

from typing import Final

from tollway.catalog.client_listing import OPENROUTER_LIST
from tollway.providers.client_access import ClientAccess
from tollway.providers.dialect import ask_for_cost
from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="fastrouter",
    name="FastRouter",
    dialect="openrouter",
    base_url="https://go.fastrouter.ai/api/v1",
    reports_cost=True,
    identifies_application=True,
    needs_key=True,
    obeys_order=True,
    rules=(ask_for_cost,),
    source="https://docs.fastrouter.ai",
    checked="2026-11-26",
    client=ClientAccess(
        key_variables=("FASTROUTER_API_KEY",),
        listing=OPENROUTER_LIST,
        has_public_list=True,
        popularity=5,
        site="https://fastrouter.ai",
        support="support@fastrouter.ai",
    ),
)
