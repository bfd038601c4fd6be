"""Corrections of settled requests, once the upstream's own record of them is known; nothing written is changed.

The usage row keeps the original figures and, beside them, by how much they were corrected.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from tollway.billing.ledger import Basis, Correction, postings_of_correction
from tollway.billing.store import LOOKUPS_MAX, UncertainRow
from tollway.storage.sql import budgets
from tollway.storage.sql.accounting_tables import usage_lookups
from tollway.storage.sql.entries import post
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import UNCERTAIN, usage, usage_metadata
from tollway.storage.sql.usage_sums import add_correction
from tollway.wire.generation import Generation

_ROW: Final = select(
    usage.c.budgets, usage.c.cost_microdollars, usage.c.absorbed_microdollars, usage.c.reconciled_at
).where(usage.c.id == bindparam("request_id"))
_RECONCILE: Final = (
    update(usage)
    .where(usage.c.id == bindparam("request_id"))
    .values(
        corrected_microdollars=bindparam("charge"),
        corrected_absorbed_microdollars=bindparam("absorbed"),
        reconciled_at=bindparam("now"),
    )
)
_COUNT_LOOKUP: Final = update(usage).where(usage.c.id == bindparam("request_id")).values(lookups=usage.c.lookups + 1)
_END_LOOKUPS: Final = (
    update(usage)
    .where(usage.c.id == bindparam("request_id"), usage.c.lookups < LOOKUPS_MAX)
    .values(lookups=LOOKUPS_MAX)
)
_FIELDS: Final = {  # of UncertainRow
    "id": usage.c.id,
    "provider_id": usage.c.provider_id,
    "message_id": usage_metadata.c.message_id,
    "upstream_model": usage.c.upstream_model,
    "basis": usage.c.basis,
    "charge": usage.c.cost_microdollars,
    "absorbed": usage.c.absorbed_microdollars,
    "market_cost": usage.c.market_cost_microdollars,
    "worst_case": usage.c.worst_case_microdollars,
    "price_version": usage.c.price_version,
    "prompt_usd": usage.c.prompt_usd,
    "completion_usd": usage.c.completion_usd,
    "prompt_tokens": usage.c.prompt_tokens,
    "completion_tokens": usage.c.completion_tokens,
    "prompt_tokens_max": usage_metadata.c.prompt_tokens_max,
    "completion_tokens_max": usage_metadata.c.completion_tokens_max,
    "status_code": usage_metadata.c.status_code,
    "finish_reason": usage_metadata.c.finish_reason,
    "has_error": usage.c.has_error,
    "cancelled": usage_metadata.c.cancelled,
    "lookups": usage.c.lookups,
    "created_at": usage.c.created_at,
    "latency_ms": usage_metadata.c.latency_ms,
}
_UNCERTAIN: Final = (
    select(*(column.label(name) for name, column in _FIELDS.items()))
    .join_from(usage, usage_metadata, usage_metadata.c.id == usage.c.id)
    .where(text(UNCERTAIN))
)
_FIND_ONE: Final = _UNCERTAIN.where(usage.c.id == bindparam("request_id"))
_FIND: Final = (
    _UNCERTAIN.where(among(usage.c.provider_id, "providers"), usage.c.created_at < bindparam("before"))
    .order_by(usage.c.created_at, usage.c.id)
    .limit(bindparam("most"))
)
_COUNT_BY_PROVIDER: Final = (
    select(usage.c.provider_id, func.count()).where(text(UNCERTAIN)).group_by(usage.c.provider_id)
)


def uncertain(
    connection: Connection, before: datetime, limit: int, providers: Iterable[str]
) -> tuple[UncertainRow, ...]:
    """See Corrections.uncertain."""
    found = connection.execute(_FIND, {"before": before, "most": limit, "providers": pack(providers)}).mappings()
    return tuple(map(_row_of, found))


def find_uncertain(connection: Connection, request_id: str) -> UncertainRow | None:
    """See Corrections.find_uncertain."""
    found = connection.execute(_FIND_ONE, {"request_id": request_id}).mappings().first()
    return None if found is None else _row_of(found)


def _row_of(row: Mapping[Any, Any]) -> UncertainRow:
    return UncertainRow(**{**row, "basis": Basis(row["basis"])})


def unasked(connection: Connection, providers: Collection[str]) -> int:
    """See Corrections.unasked."""
    return sum(count for provider, count in connection.execute(_COUNT_BY_PROVIDER) if provider not in providers)


def correct(
    connection: Connection, request_id: str, correction: Correction, found: Generation | None, now: datetime
) -> bool:
    """See Corrections.correct."""
    row = connection.execute(_ROW, {"request_id": request_id}).first()
    if row is None:
        return False
    if row.cost_microdollars + correction.charge < 0 or row.absorbed_microdollars + correction.absorbed < 0:
        raise ValueError(f"the correction of {request_id} takes back more than was booked")
    locked = budgets.lock_existing(connection, row.budgets)
    if connection.execute(_ROW, {"request_id": request_id}).one().reconciled_at is not None:
        return False
    budgets.move(connection, locked, now, spent=dict.fromkeys(locked, correction.charge))
    post(connection, request_id, postings_of_correction(row.budgets[0], correction), now)
    values = {"charge": correction.charge, "absorbed": correction.absorbed, "now": now}
    connection.execute(_RECONCILE, {"request_id": request_id, **values})
    add_correction(connection, request_id, correction.charge)
    if found is not None:
        connection.execute(insert(usage_lookups), _lookup_row(request_id, found, now))
    return True


def _lookup_row(request_id: str, found: Generation, now: datetime) -> dict[str, Any]:
    tokens = found.usage
    return {
        "id": request_id,
        "prompt_tokens": tokens.prompt_tokens,
        "completion_tokens": tokens.completion_tokens,
        "cached_tokens": tokens.cached_tokens,
        "cache_write_tokens": tokens.cache_write_tokens,
        "reasoning_tokens": tokens.reasoning_tokens,
        "cache_discount_microdollars": found.cache_discount,
        "upstream_id": found.upstream_id,
        "inference_provider": found.inference_provider,
        "latency": found.latency,
        "moderation_latency": found.moderation_latency,
        "generation_time": found.generation_time,
        "cancelled": found.cancelled,
        "created_at": now,
    }


def note_lookup_failed(connection: Connection, request_id: str, is_refused: bool = False) -> None:
    """See Corrections.note_lookup_failed."""
    connection.execute(_END_LOOKUPS if is_refused else _COUNT_LOOKUP, {"request_id": request_id})
