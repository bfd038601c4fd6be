"""A use of a hosted free model counts from here on, whatever the upstream makes of it. Source: request-path 5.4, 5.5.2.

Ends the request of a client who left: it does not count. Refuses only in a race: rate_limit_exceeded when the place had
ended and went to somebody else, promotion_limit_reached when the last of the day went meanwhile. A row that cannot be
stored is logged, and the request goes on. Gives whether the use was counted.
"""

from collections.abc import Awaitable

from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.free_use import FreeUses, refusal
from tollway.gateway.services import Services
from tollway.limits.addresses import row_name
from tollway.limits.store import FreeUse
from tollway.observability.logs import get_log
from tollway.wire.address import limiting_key

_log = get_log()


def run(exchange: Exchange, services: Services) -> bool | Problem | Awaitable[bool | Problem]:
    if not exchange.place:
        return False
    if exchange.client.gone:
        return Problem(Code.CLIENT_GONE)
    return _count(exchange, services.free, limiting_key(exchange.address, services.settings.rate_limit_ipv6_prefix))


async def _count(exchange: Exchange, free: FreeUses, limited_as: str) -> bool | Problem:
    caller, at = exchange.caller, exchange.received_at
    full = await free.windows.commit(exchange.place, exchange.id, is_anonymous=caller.is_anonymous)
    if full:
        return refusal(full, free.promotion_text)
    address = row_name(free.secret, limited_as, at.date())
    model, user = exchange.request.model.lower(), None if caller.is_anonymous else caller.user_id
    try:
        await free.log.add(FreeUse(exchange.id, address, model, user, at))
    except StoreUnavailableError as error:
        _log.error("free_use_not_stored", request_id=exchange.id, error=error)
    return True
