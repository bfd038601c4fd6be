"""Is the database's schema the one this program was written for? Answered without importing the migration tool."""

from typing import Final

from sqlalchemy import Connection, column, inspect, select, table

from tollway.storage.sql.database import Database

SCHEMA_HEAD: Final = "0023_identity_changes"  # the newest revision in storage/migrations/versions; a test compares

_version: Final = table("alembic_version", column("version_num"))


async def schema_is_current(database: Database) -> bool:
    """Whether every migration has run, and none that this program does not know.

    Raises StoreUnavailableError when the database cannot be reached.
    """
    return await database.read(_is_current)


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    return connection.execute(select(_version.c.version_num)).scalars().all() == [SCHEMA_HEAD]
