"""OpenAI: reports tokens, not money, so the dated price table decides."""

from typing import Final

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
)
