"""Decide who may serve the request, and what that could cost.

Where the preset divides a model's requests, the second provider is the first candidate for its share of them, and the
others stay behind it: both are paid by the operator, so the retry rules may go on from one to the other (guarantees §3,
M7; request-path 11.12.3 has a retry stay where it was). The share that is not moved stays where it is.

Whoever brings along an endpoint of their own, or keys of their own, is served there and nowhere else.

Refuses: service_unavailable. Who would serve the model has no key or address here; the caller is not told who that is.
Source: request-path 8.1, 8.4, 8.5, 8.6.3.
"""

from tollway.catalog.model import Model
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.routing.plan import Plan, plan_own_keys, plan_route
from tollway.routing.precedence import Rule
from tollway.routing.split import may_move

# Reading a member of an Enum costs as much as a call (Python 3.11).
_HOSTED_MODEL, _DEFAULT, _SPLIT = Rule.HOSTED_MODEL, Rule.DEFAULT, Rule.SPLIT


def run(exchange: Exchange, services: Services) -> Plan | Problem:
    model, split, own = exchange.model, services.split, exchange.own
    if exchange.kind.is_hosted_free:
        upstreams, rule = services.hosted_upstreams, _HOSTED_MODEL
    else:
        upstreams, rule = services.upstreams, _DEFAULT
    if own is not None:
        rule = own.rule
        if own.upstream is not None:
            if own.keys:
                return plan_own_keys(exchange.request, model, own.upstream)
            upstreams = {own.upstream.id: own.upstream}
    elif split is not None and split.divides(model):
        moved = _divided(exchange, services)
        if moved is not model:
            model, rule = moved, _SPLIT
    plan = plan_route(exchange.request, model, upstreams, rule)
    if plan is None:
        providers = ", ".join(offer.provider_id for offer in model.offers)
        return Problem(Code.SERVICE_UNAVAILABLE, f"no key or address is configured for {providers}")
    return plan


def _divided(exchange: Exchange, services: Services) -> Model:
    """The model with its offers in the order for this request."""
    model, split, caller = exchange.model, services.split, exchange.caller
    assert split is not None
    if not may_move(exchange.request.body.get("provider"), caller.policy):
        return model
    seed = exchange.context.task_id or caller.user_id
    return split.moved(model) if split.takes(seed, services.deadlines.now()) else model
