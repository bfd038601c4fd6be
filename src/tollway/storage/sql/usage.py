"""Stored usage, read back: what one request cost and why."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, select

from tollway.storage.sql.accounting_tables import usage_lookups, usage_origins, usage_prompts
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage, usage_metadata


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One request, from `usage` and `usage_metadata`: prices are USD per token, amounts micro-dollars.

    `cost` and `absorbed` are as first booked, `corrected` and `corrected_absorbed` what reconciliation added to them
    (below 0: took away). `lookups`: at the upstream, in vain; None: there was nothing to look up. `budgets`: which the
    cost was counted against, the payer's first.
    """

    id: str
    user_id: str
    organization_id: str | None
    key_id: str | None
    provider_id: str
    requested_model: str
    model: str
    upstream_model: str
    inference_provider: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    basis: str
    price_version: str
    prompt_usd: Decimal
    completion_usd: Decimal
    worst_case_microdollars: int
    hold_microdollars: int
    list_cost_microdollars: int
    reported_cost_microdollars: int | None
    market_cost_microdollars: int
    cost_microdollars: int
    absorbed_microdollars: int
    corrected_microdollars: int
    corrected_absorbed_microdollars: int
    reconciled_at: datetime | None
    lookups: int | None
    has_error: bool
    usage_day: date
    budgets: tuple[str, ...]
    created_at: datetime
    message_id: str | None
    status_code: int
    streamed: bool
    cancelled: bool
    finish_reason: str | None
    is_byok: bool | None
    route: tuple[str, ...]
    attempts: tuple[str, ...]
    prompt_tokens_max: int
    completion_tokens_max: int
    latency_ms: int
    rule: str | None


_COLUMNS: Final = (usage.c[name] if name in usage.c else usage_metadata.c[name] for name in UsageRow.__slots__)
_BY_ID: Final = (
    select(*_COLUMNS)
    .join_from(usage, usage_metadata, usage_metadata.c.id == usage.c.id)
    .where(usage.c.id == bindparam("request_id"))
)


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of a request besides money: where it came from and how it asked, prefixes of its prompts where they
    are kept, and what the upstream's own record said where it was looked up. None: not said, not kept, not looked up.
    """

    session_id: str | None
    max_tokens: int | None
    system_prompt_length: int | None
    abuse_request_id: int | None
    feature: str | None
    mode: str | None
    editor_name: str | None
    machine_id: str | None
    user_agent: str | None
    address_hash: str | None
    country: str | None
    city: str | None
    latitude: float | None
    longitude: float | None
    tls_fingerprint: str | None
    project_id: str | None
    auto_model: str | None
    has_tools: bool | None
    has_middle_out: bool | None
    system_prefix: str | None
    user_prefix: str | None
    found_prompt_tokens: int | None
    found_completion_tokens: int | None
    found_cached_tokens: int | None
    found_cache_write_tokens: int | None
    cache_discount_microdollars: int | None
    upstream_id: str | None
    found_inference_provider: str | None
    latency: float | None
    moderation_latency: float | None
    generation_time: float | None
    found_cancelled: bool | None


def _detail(name: str) -> ColumnElement[Any]:
    if name.startswith("found_"):
        return usage_lookups.c[name.removeprefix("found_")]
    tables = (usage_metadata, usage_origins, usage_prompts, usage_lookups)
    return next(table.c[name] for table in tables if name in table.c)


_DETAILS: Final = (
    select(*(_detail(name) for name in Details.__slots__))
    .select_from(usage_metadata)
    .outerjoin(usage_origins, usage_origins.c.id == usage_metadata.c.origin_id)
    .outerjoin(usage_prompts, usage_prompts.c.id == usage_metadata.c.id)
    .outerjoin(usage_lookups, usage_lookups.c.id == usage_metadata.c.id)
    .where(usage_metadata.c.id == bindparam("request_id"))
)


class SqlUsage:
    """Raises StoreUnavailableError when the database cannot answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request_id: str) -> UsageRow | None:
        """The row of one request, None when it was never settled."""

        def work(connection: Connection) -> UsageRow | None:
            row = connection.execute(_BY_ID, {"request_id": request_id}).first()
            return None if row is None else UsageRow(*row)

        return await self._database.read(work)

    async def details(self, request_id: str) -> Details | None:
        """What else is known of it, None when it was never settled."""

        def work(connection: Connection) -> Details | None:
            row = connection.execute(_DETAILS, {"request_id": request_id}).first()
            return None if row is None else Details(*row)

        return await self._database.read(work)
