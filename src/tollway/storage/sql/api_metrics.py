"""SqlApiMetrics: records of single requests, kept for some days and counted for alerts.

A row is written once however often it is tried, because its id is the request's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.exc import SQLAlchemyError

from tollway.observability.api_metrics import Measured, Tokens
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.observation_tables import api_metrics

DELETED_AT_ONCE: Final = 1_000
_NO_TOKENS: Final = Tokens()

_OLD: Final = (
    select(api_metrics.c.id)
    .where(api_metrics.c.created_at < bindparam("before"))
    .order_by(api_metrics.c.created_at)
    .limit(DELETED_AT_ONCE)
)
_DELETE_OLD: Final = delete(api_metrics).where(api_metrics.c.id.in_(_OLD.scalar_subquery()))


class SqlApiMetrics:
    """Methods raise StoreUnavailableError. `client_name`: of this gateway, in every row."""

    def __init__(self, database: Database, client_name: str) -> None:
        self._database = database
        self._client_name = client_name

    async def add(self, records: Sequence[Measured]) -> None:
        """One transaction; at least one record. Raises ValueError when the database takes them for nonsense."""
        rows = [row_of(record, self._client_name) for record in records]
        try:
            await self._database.write(lambda connection: insert_all_missing(connection, api_metrics, rows))
        except SQLAlchemyError as error:
            raise ValueError(f"the database refused it ({type(error).__name__})") from error

    async def delete_before(self, before: datetime) -> int:
        """A bounded number of the oldest rows from before that instant: how many there were, 0 when none is left."""

        def work(connection: Connection) -> int:
            return connection.execute(_DELETE_OLD, {"before": before}).rowcount

        return await self._database.write(work)


def row_of(record: Measured, client_name: str) -> dict[str, Any]:
    """A row of `api_metrics`: the ten columns of the export (response-path 9.6), then what may be absent."""
    metric, tokens = record.metric, record.metric.tokens or _NO_TOKENS
    return {
        "id": record.id,
        "provider": metric.provider,
        "resolved_model": metric.resolved_model,
        "client_name": client_name,
        "is_error": metric.is_error,
        "inference_provider": metric.inference_provider,
        "user_byok": metric.user_byok,
        "ttfb_ms": metric.ttfb_ms,
        "complete_request_ms": metric.complete_request_ms,
        "status_code": metric.status_code,
        "created_at": record.at,
        "user_id": metric.user_id,
        "organization_id": metric.organization_id,
        "is_anonymous": metric.is_anonymous,
        "is_streaming": metric.is_streaming,
        "mode": metric.mode,
        "requested_model": metric.requested_model,
        "tools_available": metric.tools_available,
        "tools_used": metric.tools_used,
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cache_write_tokens": tokens.cache_write_tokens,
        "cache_hit_tokens": tokens.cache_hit_tokens,
        "total_tokens": tokens.total_tokens,
    }
