"""Callers without a usable credential may go on to free models, known by their address alone.

Whatever organization they name is ignored. They are the first whom memory running short turns away. Refuses:
paid_model_auth_required, overloaded. Source: request-path 7, guarantees O4, O5.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.anonymous import anonymous_caller
from tollway.identity.caller import Caller
from tollway.limits.memory import WAIT_S


def run(exchange: Exchange, services: Services) -> Caller | Problem:
    known = exchange.known
    if known is not None:
        return known
    if not exchange.kind.is_free:
        return Problem(Code.SIGN_IN_REQUIRED)
    if services.memory.refuses_anonymous:
        services.metrics.bounds.reject("memory_anonymous")
        return Problem(Code.OVERLOADED, "memory, and anonymous", retry_after_s=WAIT_S)
    return anonymous_caller(services.anon_id_key, exchange.address)
