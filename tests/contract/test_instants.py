"""What time it is for a database."""

from datetime import timedelta

from tollway.clock import utc_now
from tollway.storage.sql.database import Database
from tollway.storage.sql.instants import database_now


async def test_a_server_has_a_clock_and_a_file_has_none(database: Database) -> None:
    now = await database_now(database)
    if database.dialect == "sqlite":
        assert now is None
    else:
        assert now is not None
        assert abs(utc_now() - now) < timedelta(seconds=30)
