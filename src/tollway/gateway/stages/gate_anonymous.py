"""Callers without a usable credential may go on to free models, known by their address alone.

Whatever organization they name is ignored. Refuses: paid_model_auth_required. Source: request-path 7.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.anonymous import anonymous_caller
from tollway.identity.caller import Caller


def run(exchange: Exchange, services: Services) -> Caller | Problem:
    known = exchange.known
    if known is not None:
        return known
    if not exchange.kind.is_free:
        return Problem(Code.SIGN_IN_REQUIRED)
    return anonymous_caller(services.anon_id_key, exchange.inbound.peer)
