"""The plan: who may serve a request, in which order, and what each would cost at worst."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Final

from msgspec import Struct

from tollway.billing.cost import worst_case
from tollway.billing.estimate import prompt_tokens_max
from tollway.catalog.model import Model, Offer
from tollway.money import Microdollars
from tollway.providers.registry import Upstream
from tollway.routing.precedence import Rule
from tollway.wire.chat import ChatRequest

_ROUTE: Final = attrgetter("offer.route")


class Candidate(Struct, frozen=True):
    """One upstream that can serve the request. `worst_case` in micro-dollars."""

    upstream: Upstream
    offer: Offer
    worst_case: Microdollars


class Plan(Struct, frozen=True):
    """Candidates in order of preference, never empty; token bounds are the ones the worst cases were made of."""

    candidates: tuple[Candidate, ...]
    prompt_tokens_max: int
    completion_tokens_max: int
    rule: Rule = Rule.DEFAULT  # what decided who they are

    @property
    def route(self) -> tuple[str, ...]:
        """The candidates for people to read, each `<provider>/<upstream model>`."""
        return tuple(map(_ROUTE, self.candidates))

    @property
    def worst_case(self) -> Microdollars:
        """What the hold must cover, whoever serves it in the end."""
        most = self.candidates[0].worst_case
        for candidate in self.candidates:
            if candidate.worst_case > most:
                most = candidate.worst_case
        return most


def plan_route(
    request: ChatRequest, model: Model, upstreams: Mapping[str, Upstream], rule: Rule = Rule.DEFAULT
) -> Plan | None:
    """Candidates for `model` among the configured upstreams; None when none of them serves it. `rule` chose them."""
    prompt_most, completion_most = _tokens_max(request, model)
    choices = request.choices
    candidates = [
        Candidate(upstreams[offer.provider_id], offer, worst_case(prompt_most, completion_most, offer.price, choices))
        for offer in model.offers
        if offer.provider_id in upstreams
    ]
    return Plan(tuple(candidates), prompt_most, completion_most, rule) if candidates else None


def plan_own_keys(request: ChatRequest, model: Model, gateway: Upstream) -> Plan:
    """One candidate, which takes the caller's keys and costs nobody here anything; there is no other behind it.

    The price is there to say what an answer was worth: of the gateway's own offer if it has one, else of the first.
    """
    candidate = Candidate(gateway, own_keys_offer(model, gateway), Microdollars(0))
    return Plan((candidate,), *_tokens_max(request, model), Rule.OWN_KEYS)


def own_keys_offer(model: Model, gateway: Upstream) -> Offer:
    """The model as the gateway that takes own keys has it."""
    own = next((offer for offer in model.offers if offer.provider_id == gateway.id), None)
    return own or Offer(gateway.id, model.id, model.offers[0].price)


def _tokens_max(request: ChatRequest, model: Model) -> tuple[int, int]:
    """Prompt and completion tokens, of one choice."""
    completion_most = model.completion_tokens_max
    if request.completion_tokens_max is not None:
        completion_most = min(completion_most, request.completion_tokens_max)
    return prompt_tokens_max(request.body_bytes, request.messages), completion_most
