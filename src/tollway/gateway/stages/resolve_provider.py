"""Find out whether the caller brings along who serves this model: an endpoint or keys of their own.

A row that matches and cannot be used ends the request: it is never served at somebody else's expense instead. What the
operator offers is looked at later, in plan_route. Refuses: credential_unavailable (a secret does not open),
own_key_invalid (it opens, and is no key of that provider), service_unavailable (keys are there, and no provider that
takes them). Source: request-path 8.1 to 8.3, 12.2.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.routing.precedence import OwnRoute, Unusable

_log = get_log()


def run(exchange: Exchange, services: Services) -> OwnRoute | Problem | None:
    caller = exchange.caller
    if caller.owned is None:
        return None
    found = services.precedence.find(caller.owned, exchange.request.model, services.catalog().id_of)
    if isinstance(found, Unusable):
        if found.code is Code.CREDENTIAL_UNAVAILABLE:
            services.metrics.unusable_secrets.inc()
        owner = caller.organization_id or caller.user_id
        _log.error("own_route_unusable", provider=found.provider_id, owner=owner, rule=found.rule, why=found.reason)
        return Problem(found.code, f"{found.provider_id}: {found.reason}")
    return found
