"""Which rules apply to a model at a provider, and in which order they run. Source: request-path 11.5 to 11.10.

Free-model substitution, then the model's family, then the preferred inference providers, then the provider itself. The
page lists tool choice between the last two of these; which comes first cannot be told from the result.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from tollway.providers import hosting
from tollway.providers.families import anthropic, google, mistral, moonshot, openai, qwen, xai
from tollway.providers.provider import Provider
from tollway.providers.rule import Rule, Target

FAMILIES: Final[Mapping[str, Callable[[Target], tuple[Rule, ...]]]] = MappingProxyType(
    {family.VENDOR: family.rules for family in (anthropic, google, mistral, moonshot, openai, qwen, xai)}
)


def rules_for(target: Target, provider: Provider) -> tuple[Rule, ...]:
    """The rules for `target`, in order, each once; empty for most."""
    vendor, slash, _ = target.model.partition("/")
    family = FAMILIES.get(vendor) if slash else None
    rules = (
        *((hosting.substitute,) if target.hosted else ()),
        *(family(target) if family else ()),
        *((hosting.prefer_providers,) if target.inference_order and provider.obeys_order else ()),
        *provider.rules,
    )
    return tuple(dict.fromkeys(reversed(rules)))[::-1]  # of one that occurs twice the provider's place counts
