"""The one way commands reach the database: open it as configured, do one thing, and say in one line what went wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tollway.billing.store import StoreUnavailableError
from tollway.cli.output import refuse
from tollway.clock import utc_now
from tollway.errors import Problem
from tollway.settings import Settings, SettingsError, load
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.schema import schema_is_current

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Administration:
    """What a command works with. `pepper` makes one when the installation has none yet."""

    settings: Settings
    store: SqlAdmin
    database: Database
    pepper: Callable[[], bytes]
    now: datetime


def administer(work: Callable[[Administration], Awaitable[T | Problem]]) -> T:
    """Run `work` on the configured database. Whatever is refused or fails ends the command with exit code 1."""
    try:
        result = asyncio.run(_run(load(), work))
    except (SettingsError, StoreUnavailableError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or 'database'}: {error.strerror or error}")
    if isinstance(result, Problem):
        refuse(result.shown or result.detail or result.entry.message)
    return result


async def _run(settings: Settings, work: Callable[[Administration], Awaitable[T | Problem]]) -> T | Problem:
    try:
        database = open_database(settings.database_url, pool_size=1)
    except ValueError as error:
        raise SettingsError(f"database_url: {error}") from None
    try:
        if not await schema_is_current(database):
            raise SettingsError("database_url: the schema is not current; run `tollway migrate`")
        return await work(Administration(settings, SqlAdmin(database), database, settings.pepper, utc_now()))
    finally:
        await database.close()
