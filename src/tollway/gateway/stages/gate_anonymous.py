"""Only callers who are known may go on. Refuses: paid_model_auth_required. Source: request-path §7."""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, _: Services) -> Problem | None:
    return Problem(Code.SIGN_IN_REQUIRED) if exchange.caller is None else None
