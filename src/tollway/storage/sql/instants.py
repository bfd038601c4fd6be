"""What time it is for the database."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

from tollway.storage.sql.database import Database

_NOW: Final = text("SELECT extract(epoch FROM clock_timestamp())")


async def database_now(database: Database) -> datetime | None:
    """None of SQLite, which has this machine's clock. Raises StoreUnavailableError."""
    if database.dialect == "sqlite":
        return None

    def read(connection: Connection) -> datetime:
        return datetime.fromtimestamp(float(connection.execute(_NOW).scalar_one()), UTC)

    return await database.read(read)
