"""Take this request's places among those under way: of its payer and of its API key.

An anonymous caller's payer is its address. Refuses: too_many_requests (429 is about you, guarantees O3). The places
come back in `closers/free_slots.py`.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> tuple[str, ...] | Problem:
    caller, limits = exchange.caller, services.settings.limits
    payer, key = caller.organization_id or caller.user_id, caller.key_id
    of_payer = (payer, limits.in_flight_per_account)
    full = services.slots.take((of_payer, (key, limits.in_flight_per_key)) if key else (of_payer,))
    if full:
        services.metrics.bounds.reject("in_flight_per_account" if full == payer else "in_flight_per_key")
        return Problem(Code.TOO_MANY_REQUESTS, full, retry_after_s=1)
    return (payer, key) if key else (payer,)
