"""Any OpenAI-compatible server (vLLM, llama.cpp, Ollama, a stand-in): base URL and prices come from settings."""

from typing import Final

from tollway.providers.dialect import without_stray_stream_options
from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="compatible",
    name="OpenAI-compatible",
    dialect="openai",
    base_url="",
    rules=(without_stray_stream_options,),
    source="https://platform.openai.com/docs/api-reference/chat",
    checked="2026-11-20",
)
