"""Give back the place held in `stages/limit_free.py` when the request ended before it counted."""

from collections.abc import Awaitable

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> Awaitable[None] | None:
    if not exchange.place or exchange.is_logged:
        return None
    return services.free.windows.release(exchange.place, exchange.id)
