"""Estimates against the upstream's own record: look-ups long after the answer, and the corrections that follow any.

Never in a request's way; idempotent, because a request is corrected once. Source: guarantees M3, M8, response-path 6.5.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from tollway.billing.reconciliation import correction_of
from tollway.billing.store import Corrections, UncertainRow
from tollway.catalog.model import Price
from tollway.gateway.upstream_port import Failure
from tollway.observability.logs import get_log
from tollway.providers.registry import Upstream
from tollway.wire.generation import read_generation

READY_AFTER: Final = timedelta(seconds=45)  # its end; until then its worker asks by itself (`early_lookups.py`)
BATCH_MAX: Final = 100

_NOT_NOW: Final = frozenset({404, 408, 425, 429})  # these say later rather than no

Fetch = Callable[[Upstream, bytes], Awaitable[tuple[int, bytes] | Failure]]
FindPrice = Callable[[str], Awaitable[Price | None]]

_log = get_log()


class LookedUp(Struct, frozen=True):
    """`corrected` requests were reconciled, by `amount` µ$ in all (signed, callers and operator together); `unknown`
    ones the upstream did not know yet, or not believably, or it did not answer; `unasked` have no upstream to ask."""

    corrected: int = 0
    amount: int = 0
    unknown: int = 0
    unasked: int = 0


class _Silence(Struct, frozen=True):
    """The upstream did not answer, or refuses us: whatever else we would ask it now, too."""

    why: str
    is_refused: bool = False


async def look_up(
    corrections: Corrections, upstreams: Mapping[str, Upstream], find_price: FindPrice, fetch: Fetch, now: datetime
) -> LookedUp:
    """Ask about what is uncertain, oldest first, one at a time. Raises StoreUnavailableError.

    An upstream that does not answer is left alone until the next time: asking on would only use up what is tried for
    each request, and with a key that is refused it would be hammering (response-path 6.5).
    """
    asked = {name: upstream for name, upstream in upstreams.items() if upstream.lookup_head}
    silent: set[str] = set()
    corrected = amount = unknown = 0
    for row in await corrections.uncertain(now - READY_AFTER, BATCH_MAX, asked):
        if row.created_at + timedelta(milliseconds=row.latency_ms) > now - READY_AFTER or row.provider_id in silent:
            unknown += 1
            continue
        moved = await _look_up_one(corrections, asked[row.provider_id], row, find_price, fetch)
        if isinstance(moved, _Silence):
            _log.warning("lookup_failed", request_id=row.id, upstream=row.provider_id, why=moved.why)
            silent.add(row.provider_id)
        if isinstance(moved, int):
            corrected += 1
            amount += moved
        else:
            unknown += 1
            await corrections.note_lookup_failed(row.id, isinstance(moved, _Silence) and moved.is_refused)
    return LookedUp(corrected, amount, unknown, await corrections.unasked(asked))


async def _look_up_one(
    corrections: Corrections, upstream: Upstream, row: UncertainRow, find_price: FindPrice, fetch: Fetch
) -> int | _Silence | None:
    """By how much the request was corrected; None when it could not be."""
    body = await _ask(upstream, row.message_id, fetch)
    if isinstance(body, _Silence):
        return body
    return await correct_by_record(corrections, upstream, row, body, find_price)


async def correct_by_record(
    corrections: Corrections, upstream: Upstream, row: UncertainRow, body: bytes, find_price: FindPrice
) -> int | None:
    """What the record says goes into the books; by how much the request was corrected, None when it could not be.

    Raises StoreUnavailableError.
    """
    found, price = read_generation(body), await find_price(row.price_version)
    if found is None or price is None:
        return None
    correction = correction_of(row, found.usage, price, upstream.provider.reports_cost)
    if correction is None:
        _log.warning("implausible_record", request_id=row.id, upstream=upstream.id)
        return None
    if found.cost_is_reckoned:
        _log.warning("own_key_price_unknown", request_id=row.id, upstream=upstream.id)
    try:
        is_new = await corrections.correct(row.id, correction, found)
    except (ArithmeticError, ValueError) as error:  # one that the books cannot take must not keep the others out
        _log.error("correction_refused", request_id=row.id, error=error)
        return None
    return correction.charge + correction.absorbed if is_new else 0


async def _ask(upstream: Upstream, message_id: str, fetch: Fetch) -> bytes | _Silence:
    """The record; empty where the upstream has none (yet)."""
    answer = await fetch(upstream, question(upstream, message_id))
    if isinstance(answer, Failure):
        return _Silence(f"{answer.kind}: {answer.detail}")
    status, body = answer
    if status == HTTPStatus.NOT_FOUND:
        return b""
    return body if status == HTTPStatus.OK else _Silence(f"status {status}", is_refusal(status))


def is_refusal(status: int) -> bool:
    """Whether the upstream says no, to the question or to our key: that request is never asked about again.

    Its charge stays the estimate. Whoever asked later would only hammer (response-path 6.5, V25, V26; guarantees U1),
    and M8 asks where there is a record: with this key there is none for us, or it would not have served the answer.
    """
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NOT_NOW


def question(upstream: Upstream, message_id: str) -> bytes:
    """The head of a request for the record, of an upstream that keeps some."""
    assert upstream.lookup_head
    before, after = upstream.lookup_head
    return before + quote(message_id, safe="").encode() + after
