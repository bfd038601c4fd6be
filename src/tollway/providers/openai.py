"""OpenAI: reports tokens, not money, so the dated price table decides."""

from typing import Final

from tollway.catalog.client_listing import PLAIN_LIST
from tollway.providers.client_access import ClientAccess
from tollway.providers.dialect import without_stray_stream_options
from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="openai",
    name="OpenAI",
    dialect="openai",
    base_url="https://api.openai.com/v1",
    needs_key=True,
    rules=(without_stray_stream_options,),
    source="https://platform.openai.com/docs/api-reference/chat",
    checked="2026-11-20",
    client=ClientAccess(
        key_variables=("OPENAI_API_KEY",), listing=PLAIN_LIST, popularity=2, site="https://platform.openai.com"
    ),
)
