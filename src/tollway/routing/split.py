"""Divides traffic between the default provider and a second one, and moves most of it when the default one fails. Pure.

Who is on which side follows from a seed alone (the task, else the caller), so a conversation stays where its cache is.
A request that restricts who may see it, in words that the second provider does not know, is never moved there.

How often both fail is counted here, in the process, from this worker's attempts: nothing is asked for, so nothing is
waited for. Which worker gets a caller is chance, so what one sees of an outage is what the others see, and the bound is
far above what there is without one. Two workers that cross it some seconds apart put a seed on different sides
meanwhile, which costs the upstream's cache and nothing else. After a start nothing has failed.
Source: request-path 8.4; README, decision 12.
"""

from hashlib import sha256
from typing import Final

from tollway.catalog.model import Model, Offer
from tollway.catalog.preset import Preset, Split
from tollway.identity.policy import OrganizationPolicy
from tollway.routing.recent_count import RecentCount

BUCKETS: Final = 100
STEPS: Final = 60  # in which the window of the failures moves on


def bucket(provider_id: str, seed: str) -> int:
    """0..99, the same for ever for a seed. The second provider goes in as well: with another one they are others."""
    return int.from_bytes(sha256(f"{provider_id}_routing_{seed}".encode()).digest()[:4]) % BUCKETS


def percentage(split: Split, default_rate: float, second_rate: float) -> int:
    """The second provider's share, from the shares of failures, 0..1, of both."""
    is_failing = default_rate > split.error_rate_max and second_rate < split.error_rate_max
    return split.percentage_failing if is_failing else split.percentage_healthy


def may_move(said: object, policy: OrganizationPolicy | None) -> bool:
    """Whether a request may go to a provider that neither refuses to have it collected nor passes anybody over.

    `said` is the caller's `provider`. What the organization says counts before it takes the caller's place, and what
    the caller says although it will: no restriction is ever lost by being moved.
    """
    if policy is not None and (policy.data_collection == "deny" or policy.denied_providers):
        return False
    return not isinstance(said, dict) or (said.get("data_collection") != "deny" and not said.get("ignore"))


class FailureRate:
    """The share of attempts at one provider that failed, over about the last `window_s` seconds."""

    def __init__(self, window_s: int) -> None:
        self._all = RecentCount(window_s, STEPS)
        self._failed = RecentCount(window_s, STEPS)

    def count(self, failed: bool, now: float) -> None:
        self._all.add(now)
        if failed:
            self._failed.add(now)

    def at(self, now: float) -> float:
        """0..1; 0 without attempts."""
        count = self._all.total(now)
        return self._failed.total(now) / count if count else 0.0


class TrafficSplit:
    """The preset's split. Ids are lower-case; `now` is monotonic seconds.

    A model is divided when the first to offer it is the default provider, so one that has a gateway of its own, by the
    preset or by the operator's settings, never is.
    """

    def __init__(self, preset: Preset) -> None:
        self._split = preset.split
        self._hosted_elsewhere = frozenset(
            hosted.public_id.lower()
            for hosted in preset.hosted_models
            if hosted.is_enabled and hosted.gateway != preset.split.default_provider
        )
        self._divided = frozenset(filter(self._is_divided, map(str.lower, preset.split.models)))
        self._rates = {
            provider_id: FailureRate(preset.split.window_s)
            for provider_id in (preset.split.default_provider, preset.split.provider)
        }
        self._percentage = preset.split.percentage_healthy
        self._holds_until = float("-inf")

    def divides(self, model: Model) -> bool:
        """Whether some of its requests go to the second provider."""
        is_among = self._may_be_moved(model.id) if self._split.is_universal else model.id in self._divided
        return is_among and model.offers[0].provider_id == self._split.default_provider

    def takes(self, seed: str, now: float) -> bool:
        """Whether a request with this seed for a model that is divided goes to the second provider."""
        split = self._split
        return split.is_universal or bucket(split.provider, seed) < self.percentage_at(now)

    def moved(self, model: Model) -> Model:
        """The model with the second provider before all others: as it offers it itself, else at the price it has."""
        second, offers = self._split.provider, model.offers
        own = [offer for offer in offers if offer.provider_id == second]
        others = [offer for offer in offers if offer.provider_id != second]
        first = own or [Offer(second, model.id, offers[0].price)]
        return Model(
            model.id, model.name, model.context_length, model.completion_tokens_max, (*first, *others), model.created
        )

    def count(self, provider_id: str, failed: bool, now: float) -> None:
        """An attempt at any provider has ended."""
        rate = self._rates.get(provider_id)
        if rate is not None:
            rate.count(failed, now)

    def percentage_at(self, now: float) -> int:
        """The second provider's share; it holds for `cache_s` seconds."""
        if now >= self._holds_until:
            split = self._split
            rates = (self._rates[provider_id].at(now) for provider_id in (split.default_provider, split.provider))
            self._percentage = percentage(split, *rates)
            self._holds_until = now + split.cache_s
        return self._percentage

    def _is_divided(self, model_id: str) -> bool:
        split = self._split
        is_excluded = model_id.startswith(split.excluded) and not model_id.startswith(split.excluded_except)
        return self._may_be_moved(model_id) and not is_excluded

    def _may_be_moved(self, model_id: str) -> bool:
        return model_id not in self._hosted_elsewhere and not model_id.startswith(self._split.excluded_always)
