"""The lock that one process of a deployment holds."""

import pytest
from sqlalchemy import text

from tollway.billing.store import StoreUnavailableError
from tollway.storage.lock import AdvisoryLock, open_lock
from tollway.storage.sql.database import Database


async def test_one_has_it_until_it_lets_go(url: str) -> None:
    first, second, other = open_lock(url, "alerts"), open_lock(url, "alerts"), open_lock(url, "events")
    assert [await first.hold() for _ in range(2)] == [True, True]
    assert not await second.hold()
    assert await other.hold()
    await first.release()
    assert await second.hold()
    assert not await first.hold()
    for lock in (first, second, other):
        await lock.release()
    await second.release()
    assert await first.hold()
    await first.release()


async def test_a_lock_that_went_with_its_connection_is_not_believed_in(url: str, database: Database) -> None:
    lock, other = open_lock(url, "alerts"), open_lock(url, "alerts")
    assert await lock.hold()
    if not isinstance(lock, AdvisoryLock):  # a file's lock goes with the process alone
        await lock.release()
        return
    end = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    await database.write(lambda connection: connection.execute(end).all())
    assert await other.hold()
    assert not await lock.hold()
    await other.release()
    assert await lock.hold()
    await lock.release()


async def test_a_database_that_is_away_is_said_so() -> None:
    for url in ("postgresql://nobody@127.0.0.1:9/none", "sqlite:////nowhere/at/all.db"):
        with pytest.raises(StoreUnavailableError):
            await open_lock(url, "alerts").hold()
