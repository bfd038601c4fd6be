"""A request with an `Idempotency-Key` is sent once: the key is claimed before anything is held (guarantees M10).

Refuses: bad_request (a key that is not 1–255 printable ASCII characters), conflict (the key was used within a day; the
message names that request), ledger_unavailable. Without the header nothing happens here.
"""

from collections.abc import Awaitable
from typing import Final

from tollway.billing.payer import budgets_of
from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services

_KEY_CHARS_MAX: Final = 255


def run(exchange: Exchange, services: Services) -> Awaitable[str | Problem] | Problem | str:
    key = exchange.inbound.headers.get(b"idempotency-key")
    if key is None:
        return ""
    if not 0 < len(key) <= _KEY_CHARS_MAX or not all(32 <= byte < 127 for byte in key):
        return Problem(Code.BAD_REQUEST, "Idempotency-Key")
    return _claim(exchange, services, key.decode("ascii"))


async def _claim(exchange: Exchange, services: Services, key: str) -> str | Problem:
    caller = exchange.caller
    payer = budgets_of(caller, exchange.received_at.date())[0]
    try:
        first = await services.claims.claim(f"{payer.id}:{exchange.inbound.path}", key, exchange.id)
    except StoreUnavailableError as error:
        return Problem(Code.LEDGER_UNAVAILABLE, str(error), retry_after_s=1)
    if first != exchange.id:
        return Problem(Code.CONFLICT, first, shown=f"This Idempotency-Key was used by request {first}.")
    return key
