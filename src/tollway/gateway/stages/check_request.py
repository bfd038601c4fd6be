"""Refuse what no upstream could serve, now that the caller is known to be allowed to ask.

Before the catalog is asked: models that have ended or are unavailable have answers of their own, whether or not they
are in it. Refuses: service_unavailable (an impossible number of tokens), model_ended, model_not_found (unavailable).
Source: request-path 10, 12.7.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.wire.chat import COMPLETION_TOKENS_MAX

_log = get_log()


def run(exchange: Exchange, _: Services) -> Problem | None:
    asked, kind = exchange.request.completion_tokens_max, exchange.kind
    if asked is not None and asked > COMPLETION_TOKENS_MAX:
        _log.warning("impossible_token_limit", user=exchange.caller.user_id, tokens=asked)
        return Problem(Code.SERVICE_UNAVAILABLE, "more completion tokens asked for than any model has")
    if exchange.own is not None and exchange.own.model is not None:  # its id is the owner's to give
        return None
    if kind.is_dead:
        return Problem(Code.MODEL_ENDED, exchange.request.model)
    if kind.is_unavailable:
        return Problem(Code.MODEL_NOT_FOUND, exchange.request.model)
    return None
