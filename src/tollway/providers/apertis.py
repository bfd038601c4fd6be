"""Apertis: an aggregator of OpenAI's dialect; its list has owners, and neither prices nor limits."""

from typing import Final

from tollway.catalog.client_listing import Family, Listing, Tools
from tollway.catalog.client_model import CONTEXT_TOKENS
from tollway.providers.client_access import ClientAccess
from tollway.providers.dialect import without_stray_stream_options
from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="apertis",
    name="Apertis",
    dialect="openai",
    base_url="https://api.apertis.ai/v1",
    needs_key=True,
    rules=(without_stray_stream_options,),
    source="https://ai-sdk.dev/providers/community-providers/apertis",
    checked="2026-11-26",
    client=ClientAccess(
        key_variables=("APERTIS_API_KEY",),
        listing=Listing(
            context_tokens=CONTEXT_TOKENS,
            completion_tokens=4_096,
            quotes_prices=False,
            tools=Tools.ALWAYS,
            family=Family.OWNER,
            has_dates=False,
            reads_features=False,
            sees_images=True,
        ),
        address_variable="APERTIS_BASE_URL",
        site="https://apertis.ai",
    ),
)
