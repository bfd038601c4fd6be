"""The rules of every model at every provider, each looked up once."""

from typing import Final

from msgspec import Struct

from tollway.catalog.model import Offer
from tollway.catalog.preset import Preset
from tollway.providers.families.order import rules_for
from tollway.providers.provider import Provider
from tollway.providers.rule import Rule, Target

TARGETS_MAX: Final = 10_000  # more than any catalog has; models come and go while a worker lives


class Recipe(Struct, frozen=True):
    """What a target needs, in order. No rules: its requests stay as they are."""

    target: Target
    rules: tuple[Rule, ...]


class Rulebook:
    """Answers from memory after the first time."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._hosted = {hosted.public_id: hosted for hosted in preset.hosted_models}
        self._recipes: dict[tuple[str, str], Recipe] = {}

    def recipe(self, model: str, offer: Offer, provider: Provider) -> Recipe:
        """For the resolved `model` as `offer` has it, whose upstream is `provider`."""
        key = (model, offer.route)
        found = self._recipes.get(key)
        if found is None:
            if len(self._recipes) >= TARGETS_MAX:
                self._recipes.clear()
            target = self._target(model, offer.upstream_model, provider.id)
            found = self._recipes[key] = Recipe(target, rules_for(target, provider))
        return found

    def _target(self, model: str, upstream_model: str, provider_id: str) -> Target:
        preset, hosted = self._preset, self._hosted.get(model)
        names = (model, hosted.internal_id.lower()) if hosted else (model,)
        return Target(
            model=model,
            provider_id=provider_id,
            hosted=hosted,
            second_gateway_id=preset.second_gateway_ids.get(model, ""),
            inference_order=_order(preset, model),
            is_renamed=upstream_model.lower() not in names,
        )


def _order(preset: Preset, model: str) -> tuple[str, ...]:
    """The order of the longest prefix that fits."""
    fitting = [prefix for prefix in preset.inference_order if model.startswith(prefix)]
    return preset.inference_order[max(fitting, key=len)] if fitting else ()
