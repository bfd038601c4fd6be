"""Payload `providers`: the directory joined with what each provider serves and with hosted free models.

Source: catalog-and-clients A.7, A.8.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from unicodedata import combining, normalize

from tollway.catalog.feed.payloads import ListedProvider, Providers
from tollway.catalog.feed.shapes import Card, CardEndpoint, CardPricing, DataPolicy, DirectoryEntry
from tollway.catalog.preset import HostedModel

OTHER: Final = "Other"
_UNKNOWN: Final = DataPolicy(training=True, retainsPrompts=True, canPublish=False)

PolicyIndex = Mapping[str, frozenset[str]]  # normalised model id → slugs of the providers that serve it
NOBODY: Final[frozenset[str]] = frozenset()


def build_providers(
    directory: Iterable[DirectoryEntry],
    cards: Mapping[str, Iterable[Card]],
    hosted: Iterable[HostedModel],
    names: Mapping[str, str],
    generated_at: str,
) -> Providers:
    """`cards` by the provider's slug, `names` of providers that only hosted models know, by slug."""
    ours = _hosted_cards(hosted)
    listed = [_listed(entry, (*ours.pop(entry.slug, ()), *cards.get(entry.slug, ()))) for entry in directory]
    listed += [_only_hosted(slug, names.get(slug) or slug.capitalize(), models) for slug, models in ours.items()]
    serving = sorted((one for one in listed if one.models), key=lambda one: sort_key(one.name))
    return Providers(tuple(serving), len(serving), sum(len(one.models) for one in serving), generated_at)


def policy_index(providers: Providers) -> PolicyIndex:
    """Who serves which model; for any other model: nobody."""
    index: dict[str, set[str]] = {}
    for provider in providers.providers:
        for card in provider.models:
            index.setdefault(normalised(card.slug).lower(), set()).add(provider.slug)
    return {id_: frozenset(slugs) for id_, slugs in index.items()}


def normalised(model_id: str) -> str:
    """Without its variant: the text before the first colon."""
    return model_id.partition(":")[0]


def sort_key(name: str) -> tuple[str, str]:
    """By letters, whatever their case and accents, then by the name as it is: the same order on every machine."""
    letters = "".join(one for one in normalize("NFKD", name) if not combining(one))
    return letters.casefold(), name


def _listed(entry: DirectoryEntry, cards: Iterable[Card]) -> ListedProvider:
    return ListedProvider(
        name=entry.name,
        displayName=entry.displayName,
        slug=entry.slug,
        dataPolicy=entry.dataPolicy,
        headquarters=entry.headquarters,
        datacenters=entry.datacenters,
        icon=entry.icon,
        models=_each_once(cards),
    )


def _only_hosted(slug: str, name: str, cards: Iterable[Card]) -> ListedProvider:
    return ListedProvider(name, name, slug, _UNKNOWN, "Unknown", ("Global",), None, _each_once(cards))


def _each_once(cards: Iterable[Card]) -> tuple[Card, ...]:
    """Of the variants of one model the last counts."""
    by_slug = {normalised(card.slug): card for card in cards}
    return tuple(sorted(by_slug.values(), key=lambda card: sort_key(card.name)))


def _hosted_cards(hosted: Iterable[HostedModel]) -> dict[str, tuple[Card, ...]]:
    found: dict[str, tuple[Card, ...]] = {}
    for model in hosted:
        if model.is_enabled:
            for slug in model.inference_providers:
                found[slug] = (*found.get(slug, ()), _hosted_card(model))
    return found


def _hosted_card(model: HostedModel) -> Card:
    return Card(
        slug=normalised(model.public_id),
        name=model.name or model.public_id,
        author=OTHER,
        description=model.description or model.name or model.public_id,
        context_length=model.context_length,
        input_modalities=("text", "image") if "vision" in model.flags else ("text",),
        output_modalities=("text",),
        group="other",
        endpoint=CardEndpoint(is_free=True, pricing=CardPricing("0", "0")),
    )
