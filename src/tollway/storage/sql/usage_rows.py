"""What a settlement stores of one request, as rows of `usage` and `usage_metadata` in the database's own form."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from tollway.billing.ledger import Outcome
from tollway.billing.particulars import origin_id
from tollway.billing.reconciliation import is_to_be_looked_up
from tollway.storage.sql.bulk import Bulk
from tollway.storage.sql.tables import usage, usage_metadata
from tollway.storage.sql.types import decimal_text, list_text, microseconds

USAGE: Final = Bulk(
    usage,
    "id",
    "user_id",
    "organization_id",
    "key_id",
    "provider_id",
    "requested_model",
    "model",
    "upstream_model",
    "inference_provider",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "basis",
    "cost_microdollars",
    "absorbed_microdollars",
    "market_cost_microdollars",
    "list_cost_microdollars",
    "reported_cost_microdollars",
    "worst_case_microdollars",
    "hold_microdollars",
    "lookups",
    "price_version",
    "prompt_usd",
    "completion_usd",
    "has_error",
    "usage_day",
    "budgets",
    "created_at",
)
METADATA: Final = Bulk(
    usage_metadata,
    "id",
    "message_id",
    "status_code",
    "streamed",
    "cancelled",
    "finish_reason",
    "is_byok",
    "route",
    "attempts",
    "prompt_tokens_max",
    "completion_tokens_max",
    "latency_ms",
    "origin_id",
    "session_id",
    "max_tokens",
    "system_prompt_length",
    "rule",
)


class Form(NamedTuple):
    """How a database takes what not all of them take alike."""

    instant: Callable[[datetime], Any]
    day: Callable[[date], Any]


_SQLITE: Final = Form(microseconds, lru_cache(maxsize=8)(date.isoformat))
_POSTGRES: Final = Form(lambda instant: instant, lambda day: day)


def form_for(connection: Connection) -> Form:
    return _POSTGRES if connection.dialect.name == "postgresql" else _SQLITE


def usage_row(outcome: Outcome, budget_ids: Sequence[str], form: Form) -> tuple[Any, ...]:
    """A row of USAGE. What was not reported and has a message id is to be looked up: no lookups so far, instead of none
    ever."""
    record, tokens, hold, basis = outcome.record, outcome.usage, outcome.hold, outcome.basis
    return (
        hold.request_id,
        record.user_id,
        record.organization_id,
        record.key_id,
        record.provider_id,
        record.requested_model,
        record.model,
        record.upstream_model,
        record.inference_provider,
        tokens.prompt_tokens,
        tokens.completion_tokens,
        tokens.cached_tokens,
        tokens.cache_write_tokens,
        tokens.reasoning_tokens,
        basis._value_,
        outcome.charge,
        outcome.absorbed,
        outcome.market_cost,
        outcome.list_cost,
        outcome.reported_cost,
        hold.worst_case,
        hold.amounts[0],
        0 if is_to_be_looked_up(outcome) else None,
        record.price_version,
        decimal_text(record.prompt_usd),
        decimal_text(record.completion_usd),
        record.has_error,
        form.day(hold.usage_day),
        list_text(budget_ids),
        form.instant(record.created_at),
    )


def metadata_row(outcome: Outcome) -> tuple[Any, ...]:
    """A row of METADATA."""
    record = outcome.record
    particulars = record.particulars
    origin = particulars.origin
    return (
        outcome.hold.request_id,
        record.message_id,
        record.status_code,
        record.streamed,
        record.cancelled,
        record.finish_reason,
        outcome.usage.is_byok,
        list_text(record.route),
        list_text(record.attempts),
        record.prompt_tokens_max,
        record.completion_tokens_max,
        record.latency_ms,
        origin_id(origin) if origin else None,
        particulars.session_id,
        particulars.max_tokens,
        particulars.system_prompt_length,
        particulars.rule,
    )
