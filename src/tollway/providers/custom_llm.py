"""Custom LLMs: models at a vendor whose API is not Chat Completions, with the vendor's own key of whoever runs Tollway.

There is one record for each vendor's API; where a model is and what it is called comes from its row. They all count as
one provider, have no look-ups, and rules of model families do not touch their requests. Source: response-path 5.1, 5.4,
5.5; request-path 8.3, 8.5.3.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tollway.kept_secret import secret_text
from tollway.providers.provider import MESSAGES, RESPONSES, Provider
from tollway.providers.registry import Upstream, check_header_value, locate, rest_of_head
from tollway.providers.user_hashes import CUSTOM
from tollway.settings import ProviderSettings, Settings

_PATHS: Final = {MESSAGES: "/messages", RESPONSES: "/responses"}
_CHECKED: Final = "2026-11-26"

# By the vendor that a row names. Closing the connection ends the vendor's charge in both.
PROVIDERS: Final[Mapping[str, Provider]] = {
    "anthropic": Provider(
        id=CUSTOM,
        name="Custom LLM (Anthropic Messages)",
        dialect=MESSAGES,
        base_url="",
        stops_billing_on_abort=True,
        source="https://docs.anthropic.com/en/api/messages",
        checked=_CHECKED,
    ),
    "openai": Provider(
        id=CUSTOM,
        name="Custom LLM (OpenAI Responses)",
        dialect=RESPONSES,
        base_url="",
        stops_billing_on_abort=True,
        source="https://platform.openai.com/docs/api-reference/responses",
        checked=_CHECKED,
    ),
}


def custom_llm(
    provider: Provider, base_url: str, key: str, ca_file: str | None = None, *, is_guarded: bool = False
) -> Upstream:
    """The upstream at `base_url`. Raises SettingsError when it is no address, or the key cannot be sent."""
    origin, path = locate("base_url", base_url, ca_file)
    if is_guarded:
        origin = replace(origin, is_guarded=True)
    check_header_value("key", key)
    if provider.dialect == MESSAGES:
        rest = rest_of_head(origin, None, None) + f"x-api-key: {key}\r\n".encode()
    else:
        rest = rest_of_head(origin, key, None)
    return Upstream(
        id=CUSTOM,
        provider=provider,
        base_url=base_url,
        origin=origin,
        head=(f"POST {path}{_PATHS[provider.dialect]}".encode(), rest),
        takes_query=False,
    )


def hosted_upstreams(settings: Settings, upstreams: Mapping[str, Upstream]) -> dict[str, Upstream]:
    """The configured upstreams as models reach them that the operator hosts there: some by another API."""
    return {
        name: _hosted(name, upstream, settings.providers[name]) if upstream.provider.hosted_vendor else upstream
        for name, upstream in upstreams.items()
    }


def _hosted(name: str, upstream: Upstream, one: ProviderSettings) -> Upstream:
    key = secret_text(f"providers.{name}.api_key", one.api_key, one.api_key_file) or ""
    return custom_llm(PROVIDERS[upstream.provider.hosted_vendor], upstream.base_url, key, upstream.origin.ca_file)
