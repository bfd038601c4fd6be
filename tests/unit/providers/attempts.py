"""Attempts for tests of rules, and the whole run of them with the shipped preset."""

from itertools import count
from typing import Any
from uuid import UUID

from tollway.catalog.model import FREE, Offer
from tollway.catalog.preset import HostedModel, Preset
from tollway.providers.own_keys import OwnKey
from tollway.providers.registry import load_providers
from tollway.providers.rule import Attempt, Draft, Target
from tollway.providers.rulebook import Rulebook
from tollway.storage.presets import load_preset

PROVIDERS = load_providers()
KILO = load_preset("kilo")


def uuids() -> Any:
    """UUIDs one after the other, the first ends in 1."""
    numbers = count(1)
    return lambda: str(UUID(int=next(numbers)))


def attempt(
    model: str = "a/b",
    provider: str = "openrouter",
    stream: bool = False,
    own_keys: tuple[OwnKey, ...] | None = None,
    hosted: HostedModel | None = None,
    **target: Any,
) -> Attempt:
    return Attempt(Target(model, provider, hosted, **target), stream, uuids(), own_keys)


def run(
    body: dict[str, Any],
    provider: str = "openrouter",
    *,
    own_keys: tuple[OwnKey, ...] | None = None,
    preset: Preset = KILO,
    upstream_model: str = "",
) -> Draft:
    """What goes upstream for `body`, whose `model` is the resolved one, at the provider of that id."""
    model = body["model"]
    offer = Offer(provider, upstream_model or model, FREE)
    recipe = Rulebook(preset).recipe(model, offer, PROVIDERS[provider])
    draft, one = Draft({**body, "model": offer.upstream_model}), Attempt(recipe.target, False, uuids(), own_keys)
    for rule in recipe.rules:
        draft = rule(draft, one)
    return draft
