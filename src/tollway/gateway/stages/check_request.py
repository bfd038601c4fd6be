"""Refuse what no upstream could serve, now that the caller is known to be allowed to ask.

Refuses: service_unavailable (an impossible number of tokens). Source: request-path §10.1.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.wire.chat import COMPLETION_TOKENS_MAX

_log = get_log()


def run(exchange: Exchange, _: Services) -> Problem | None:
    asked = exchange.request.completion_tokens_max
    if asked is None or asked <= COMPLETION_TOKENS_MAX:
        return None
    caller = exchange.caller
    _log.warning("impossible_token_limit", user=caller.user_id if caller else None, tokens=asked)
    return Problem(Code.SERVICE_UNAVAILABLE, "more completion tokens asked for than any model has")
