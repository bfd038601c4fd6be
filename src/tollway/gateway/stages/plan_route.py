"""Decide who may serve the request, and what that could cost.

Refuses: service_unavailable. Who would serve the model has no key or address here; the caller is not told who that is.
Source: request-path 8.6.3.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.routing.plan import Plan, plan_route


def run(exchange: Exchange, services: Services) -> Plan | Problem:
    plan = plan_route(exchange.request, exchange.model, services.upstreams)
    if plan is None:
        providers = ", ".join(offer.provider_id for offer in exchange.model.offers)
        return Problem(Code.SERVICE_UNAVAILABLE, f"no key or address is configured for {providers}")
    return plan
