"""Decide who may serve the request, and what that could cost. Refuses: model_not_found (nobody here serves it)."""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.routing.plan import Plan, plan_route


def run(exchange: Exchange, services: Services) -> Plan | Problem:
    plan = plan_route(exchange.request, exchange.model, services.upstreams)
    return plan or Problem(Code.MODEL_NOT_FOUND, "no configured upstream serves it")
