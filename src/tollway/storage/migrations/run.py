"""Bring a database to the newest schema, all steps in one transaction, one process at a time.

The others wait: on PostgreSQL for an advisory lock, on SQLite for the write lock, and then find nothing left to do.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.store import StoreUnavailableError
from tollway.storage.sql.engine import create_sqlite_file, parse_url, single_use_engine
from tollway.storage.sql.failures import Failure, classify

_LOCK_ID: Final = 0x746F6C6C776179  # "tollway"
_LOCK_WAIT_S: Final = 60.0


def migrate(url: str) -> str:
    """Run what is missing and return the revision the database is at.

    Raises ValueError for a URL we cannot use and StoreUnavailableError when the database cannot be reached, or
    another migration has not ended after a minute.
    """
    parsed = parse_url(url)
    create_sqlite_file(parsed)
    engine = single_use_engine(parsed, statement_timeout_s=_LOCK_WAIT_S)
    try:
        with engine.begin() as connection:
            return _upgrade(connection)
    except SQLAlchemyError as error:
        if classify(error) is Failure.BUG:
            raise
        raise StoreUnavailableError(f"the database did not answer ({type(error).__name__})") from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_ID})")
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent))
    command.upgrade(config, "head")
    return MigrationContext.configure(connection).get_current_revision() or ""
