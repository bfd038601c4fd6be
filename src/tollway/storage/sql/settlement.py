"""The rows that one settlement writes: usage, its metadata, and the ledger entries."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from tollway.billing.ledger import EntryKind, Outcome, Posting, postings_of
from tollway.money import Microdollars
from tollway.storage.sql.tables import ledger_entries, usage, usage_metadata

_CHARGED: Final = select(usage.c.cost_microdollars).where(usage.c.id == bindparam("request_id"))
_USAGE: Final = insert(usage)
_METADATA: Final = insert(usage_metadata)
_ENTRIES: Final = insert(ledger_entries)


def charged(connection: Connection, request_id: str) -> Microdollars | None:
    """What a settled request cost its caller; None when it was not settled."""
    cost = connection.execute(_CHARGED, {"request_id": request_id}).scalar()
    return None if cost is None else Microdollars(cost)


def write(connection: Connection, outcome: Outcome, now: datetime) -> None:
    """Insert everything about `outcome`. A second insert for the same request is refused by the database."""
    connection.execute(_USAGE, _usage_row(outcome))
    connection.execute(_METADATA, _metadata_row(outcome))
    post(connection, outcome.hold.request_id, postings_of(outcome), now, request_id=outcome.hold.request_id)


def post(
    connection: Connection,
    transaction_id: str,
    postings: Iterable[Posting],
    now: datetime,
    *,
    request_id: str | None = None,
    memo: str | None = None,
) -> None:
    """Insert ledger entries. Their ids follow from `transaction_id` and the kind, so a repeat cannot double them."""
    for posting in postings:
        row = {
            "id": entry_id(transaction_id, posting.kind),
            "request_id": request_id,
            "kind": posting.kind.value,
            "debit_account": posting.debit,
            "credit_account": posting.credit,
            "amount_microdollars": posting.amount,
            "memo": memo,
            "created_at": now,
        }
        connection.execute(_ENTRIES, row)


def entry_id(transaction_id: str, kind: EntryKind) -> str:
    return f"{transaction_id}:{kind.value}"


def _usage_row(outcome: Outcome) -> dict[str, Any]:
    record, tokens, hold = outcome.record, outcome.usage, outcome.hold
    return {
        "id": hold.request_id,
        "user_id": record.user_id,
        "organization_id": record.organization_id,
        "key_id": record.key_id,
        "provider_id": record.provider_id,
        "requested_model": record.requested_model,
        "model": record.model,
        "upstream_model": record.upstream_model,
        "inference_provider": record.inference_provider,
        "prompt_tokens": tokens.prompt_tokens,
        "completion_tokens": tokens.completion_tokens,
        "cached_tokens": tokens.cached_tokens,
        "cache_write_tokens": tokens.cache_write_tokens,
        "reasoning_tokens": tokens.reasoning_tokens,
        "basis": outcome.basis.value,
        "cost_microdollars": outcome.charge,
        "absorbed_microdollars": outcome.absorbed,
        "market_cost_microdollars": outcome.market_cost,
        "list_cost_microdollars": outcome.list_cost,
        "reported_cost_microdollars": outcome.reported_cost,
        "hold_microdollars": hold.amount,
        "price_version": record.price_version,
        "prompt_usd": record.prompt_usd,
        "completion_usd": record.completion_usd,
        "has_error": record.has_error,
        "usage_day": hold.usage_day,
        "budgets": tuple(ref.id for ref in hold.budgets),
        "created_at": record.created_at,
    }


def _metadata_row(outcome: Outcome) -> dict[str, Any]:
    record = outcome.record
    return {
        "id": outcome.hold.request_id,
        "message_id": record.message_id,
        "status_code": record.status_code,
        "streamed": record.streamed,
        "cancelled": record.cancelled,
        "finish_reason": record.finish_reason,
        "is_byok": outcome.usage.is_byok,
        "attempts": record.attempts,
        "latency_ms": record.latency_ms,
        "created_at": record.created_at,
    }
