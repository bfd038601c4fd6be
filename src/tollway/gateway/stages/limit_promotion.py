"""Callers who are nobody may use free models only so often a day from one address, whoever hosts the model.

Refuses: promotion_limit_reached. Only looks: what counts is logged in `log_free_use`. Source: request-path 5.3.
"""

from collections.abc import Awaitable

from tollway.errors import Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.free_use import FreeUses, refusal
from tollway.gateway.services import Services
from tollway.limits.addresses import window_name
from tollway.wire.address import limiting_key


def run(exchange: Exchange, services: Services) -> Awaitable[Problem | None] | None:
    if not (exchange.caller.is_anonymous and exchange.kind.is_free):
        return None
    return _check(services.free, limiting_key(exchange.address, services.settings.rate_limit_ipv6_prefix))


async def _check(free: FreeUses, address: str) -> Problem | None:
    full = await free.windows.check(window_name(free.secret, address))
    return refusal(full, free.promotion_text) if full else None
