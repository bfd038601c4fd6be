"""Stored usage, read back: what one request cost and why."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, bindparam, select

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


_COLUMNS: Final = (usage.c[name] if name in usage.c else usage_metadata.c[name] for name in UsageRow.__slots__)
_BY_ID: Final = (
    select(*_COLUMNS)
    .join_from(usage, usage_metadata, usage_metadata.c.id == usage.c.id)
    .where(usage.c.id == bindparam("request_id"))
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
