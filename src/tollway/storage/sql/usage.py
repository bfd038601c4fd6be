"""Stored usage, read back: what one request cost and why."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, bindparam, select

from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One request's tokens, prices (USD per token) and amounts (micro-dollars)."""

    id: str
    provider_id: str
    model: str
    upstream_model: str
    inference_provider: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    basis: str
    price_version: str
    prompt_usd: Decimal
    completion_usd: Decimal
    hold_microdollars: int
    list_cost_microdollars: int
    reported_cost_microdollars: int | None
    cost_microdollars: int


_COLUMNS: Final = tuple(usage.c[name] for name in UsageRow.__slots__)
_BY_ID: Final = select(*_COLUMNS).where(usage.c.id == bindparam("request_id"))


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
