"""Estimates against the upstream's own record: look-ups after the answer, and the corrections that follow.

Never in a request's way; idempotent, because a request is corrected once. Source: guarantees M3, M8, response-path 6.5.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from tollway.billing.reconciliation import correction_of
from tollway.billing.store import Corrections, UncertainRow
from tollway.catalog.model import Price
from tollway.gateway.services import Failure
from tollway.observability.logs import get_log
from tollway.providers.registry import Upstream
from tollway.wire.generation import read_generation

READY_AFTER: Final = timedelta(seconds=2)  # until then the upstream may not have it
BATCH_MAX: Final = 100

Fetch = Callable[[Upstream, bytes], Awaitable[tuple[int, bytes] | Failure]]
FindPrice = Callable[[str], Awaitable[Price | None]]

_log = get_log()


class LookedUp(Struct, frozen=True):
    """`corrected` requests were reconciled, by `amount` µ$ in all (signed, callers and operator together); `unknown`
    ones the upstream did not know yet, or the answer was not believable; `unasked` have no upstream to ask."""

    corrected: int = 0
    amount: int = 0
    unknown: int = 0
    unasked: int = 0


async def look_up(
    corrections: Corrections, upstreams: Mapping[str, Upstream], find_price: FindPrice, fetch: Fetch, now: datetime
) -> LookedUp:
    """Ask about what is uncertain, oldest first, one at a time. Raises StoreUnavailableError."""
    corrected = amount = unknown = unasked = 0
    for row in await corrections.uncertain(now - READY_AFTER, BATCH_MAX):
        upstream = upstreams.get(row.provider_id)
        if upstream is None or upstream.lookup_head is None:
            unasked += 1
            continue
        moved = await _look_up_one(corrections, upstream, row, find_price, fetch)
        if moved is None:
            unknown += 1
            await corrections.note_lookup_failed(row.id)
        else:
            corrected += 1
            amount += moved
    return LookedUp(corrected, amount, unknown, unasked)


async def _look_up_one(
    corrections: Corrections, upstream: Upstream, row: UncertainRow, find_price: FindPrice, fetch: Fetch
) -> int | None:
    """By how much the request was corrected; None when it could not be."""
    assert upstream.lookup_head
    before, after = upstream.lookup_head
    answer = await fetch(upstream, before + quote(row.message_id, safe="").encode() + after)
    if isinstance(answer, Failure) or answer[0] != 200:
        return None
    usage, price = read_generation(answer[1]), await find_price(row.price_version)
    if usage is None or price is None:
        return None
    correction = correction_of(row, usage, price, upstream.provider.reports_cost)
    if correction is None:
        _log.warning("implausible_record", request_id=row.id, upstream=upstream.id)
        return None
    await corrections.correct(row.id, correction)
    return correction.charge + correction.absorbed
