"""Give an `Idempotency-Key` back when no upstream has seen its request: then trying again charges nothing twice.

Before the answer ends: who is told that it was refused may try again at once.
"""

from collections.abc import Awaitable

from tollway.billing.store import StoreUnavailableError
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.observability.logs import get_log

_log = get_log()


def run(exchange: Exchange, services: Services) -> Awaitable[None] | None:
    if not exchange.claim or (exchange.reply is not None and exchange.reply.was_sent):
        return None
    return _free(exchange.id, services)


async def _free(request_id: str, services: Services) -> None:
    try:
        await services.claims.free(request_id)
    except StoreUnavailableError as error:  # the key stays taken for a day, which is the safe side
        _log.warning("idempotency_key_kept", request_id=request_id, error=error)
