"""What time it is for the database, where that is another machine's. Source: guarantees M11."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

from sqlalchemy import extract, func, select

from tollway.storage.sql.database import Database

_NS: Final = 1_000_000_000
_TIME: Final = select(extract("epoch", func.clock_timestamp()))


def clock_of(database: Database) -> Callable[[], Awaitable[int]] | None:
    """Asks for nanoseconds since 1970 in UTC; raises StoreUnavailableError. None for SQLite, whose time is ours."""
    if database.dialect == "sqlite":
        return None

    async def ask() -> int:
        return int(Decimal(await database.read(lambda connection: connection.execute(_TIME).scalar_one())) * _NS)

    return ask
