"""SqlPhases: the rows of `response_phases`."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from tollway.clock import utc_now
from tollway.gateway.phases import PhaseMemory
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.response_tables import response_phases

_columns: Final = response_phases.c
_FIND: Final = select(_columns.key, _columns.value).where(_columns.key.in_(bindparam("keys", expanding=True)))
_OLDEST: Final = (
    select(_columns.key)
    .where(_columns.created_at < bindparam("before"))
    .order_by(_columns.created_at)
    .limit(bindparam("rows_max"))
)
_FORGET: Final = delete(response_phases).where(_columns.key.in_(_OLDEST.scalar_subquery()))


class SqlPhases:
    """Implements Phases."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def find(self, keys: Collection[str]) -> Mapping[str, str]:
        if not keys:
            return {}

        def work(connection: Connection) -> dict[str, str]:
            return {row.key: row.value for row in connection.execute(_FIND, {"keys": list(keys)})}

        return await self._database.read(work)

    async def remember(self, phases: Mapping[str, str]) -> None:
        if not phases:
            return
        now = self._now()
        # In one order, so that two that write the same keys wait for each other and do not lock each other out.
        rows = [{"key": key, "created_at": now, "value": value} for key, value in sorted(phases.items())]
        await self._database.write(lambda connection: insert_all_missing(connection, response_phases, rows))

    async def forget(self, before: datetime, rows_max: int) -> int:
        found = {"before": before, "rows_max": rows_max}
        return await self._database.write(lambda connection: connection.execute(_FORGET, found).rowcount)


def phase_memory(database: Database) -> PhaseMemory:
    return PhaseMemory(SqlPhases(database), utc_now)
