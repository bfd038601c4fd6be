"""Martian: an aggregator with OpenAI's dialect; it reports tokens, not money.

Free models there are served by its Responses API (response-path 5.1).
"""

from typing import Final

from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="martian",
    name="Martian",
    dialect="openai",
    base_url="https://api.withmartian.com/v1",
    identifies_application=True,
    needs_key=True,
    hosted_vendor="openai",
    source="https://docs.withmartian.com/quickstart",
    checked="2026-11-26",
)
