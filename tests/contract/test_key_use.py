"""When a key was last used: told by the settlement of its requests, by each worker once a minute at most."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event

from contract.commit_fault import CommitFault
from contract.scenario import ANN, START, a_hold, order, outcome, record, top_up
from contract.test_identity import ANN as USER
from contract.test_identity import KEY
from tollway.admin.records import KeyScope
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.key_use import EVERY


async def prepare(database: Database) -> SqlAdmin:
    admin = SqlAdmin(database)
    await admin.add_user(USER, "pepper")
    for key_id, hash_ in (("k1", "ab" * 32), ("k2", "cd" * 32)):
        await admin.add_key(replace(KEY, id=key_id, secret_hash=hash_))
    await top_up(database, ANN, 1_000)
    return admin


async def settle(books: SqlBooks, request_id: str, used_at: datetime, *key_ids: str | None) -> None:
    ended = []
    for number, key_id in enumerate(key_ids):
        name = f"{request_id}-{number}"
        await books.lease(order(name, 1))
        ended.append(outcome(a_hold(name, 1), 1, record=record(created_at=used_at, key_id=key_id)))
    await books.settle("w1", ended)


async def last_used(admin: SqlAdmin) -> list[datetime | None]:
    found = [await admin.find_key(key_id, KeyScope()) for key_id in ("k1", "k2")]
    return [one.last_used_at for one in found if one]


async def test_a_settlement_tells_when_a_key_was_used(database: Database, books: SqlBooks) -> None:
    admin = await prepare(database)
    assert await last_used(admin) == [None, None]
    await settle(books, "r1", START, "k1", None)
    assert await last_used(admin) == [START, None]
    await settle(books, "r2", START + timedelta(minutes=2), "k2", "k1")
    assert await last_used(admin) == [START + timedelta(minutes=2)] * 2


async def test_it_is_not_written_for_each_request(database: Database, books: SqlBooks) -> None:
    admin = await prepare(database)
    written: list[str] = []

    def listen(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("UPDATE api_keys"):
            written.append(statement)

    engine = database._writer.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        for second in range(0, 60, 10):
            await settle(books, f"r{second}", START + timedelta(seconds=second), "k1", "k1")
        assert (len(written), await last_used(admin)) == (1, [START, None])
        await settle(books, "later", START + EVERY, "k1")
        assert (len(written), await last_used(admin)) == (2, [START + EVERY, None])
    finally:
        event.remove(engine, "before_cursor_execute", listen)


async def test_a_journal_that_is_replayed_later_does_not_put_it_back(database: Database, books: SqlBooks) -> None:
    admin = await prepare(database)
    await settle(books, "r1", START + timedelta(hours=1), "k1")
    await settle(SqlBooks(database), "r0", START, "k1")
    assert await last_used(admin) == [START + timedelta(hours=1), None]


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_loses_no_use(database: Database, books: SqlBooks, committed: bool) -> None:
    admin = await prepare(database)
    await books.lease(order("r1", 1))
    with CommitFault(database, 1, committed=committed):
        await books.settle("w1", [outcome(a_hold("r1", 1), 1)])
    assert await last_used(admin) == [START, None]
