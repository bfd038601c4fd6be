"""Hosted free models: hold a place in the hour of the client's address, before anybody is asked who is calling.

Refuses: rate_limit_exceeded. Gives the name under which the place is held, "" for every other model. The place becomes
an entry in `log_free_use` or comes back in `closers/release_place.py`, so refused requests do not count.
Source: request-path 5.2, 5.5.2.
"""

from collections.abc import Awaitable

from tollway.errors import Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.free_use import FreeUses, refusal
from tollway.gateway.services import Services
from tollway.limits.addresses import window_name
from tollway.wire.address import limiting_key


def run(exchange: Exchange, services: Services) -> str | Awaitable[str | Problem]:
    if not exchange.kind.is_hosted_free:
        return ""
    address = limiting_key(exchange.address, services.settings.rate_limit_ipv6_prefix)
    return _reserve(exchange, services.free, address)


async def _reserve(exchange: Exchange, free: FreeUses, address: str) -> str | Problem:
    key = window_name(free.secret, address)
    full = await free.windows.reserve(key, exchange.id)
    return refusal(full, free.promotion_text) if full else key
