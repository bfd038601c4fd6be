"""Kept requests and answers: each once, without secrets, none of a deleted user."""

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from contract.commit_fault import CommitFault
from contract.scenario import START
from tollway.admin.records import Organization, User
from tollway.admin.store import Erasure
from tollway.gateway.transcripts import Transcript
from tollway.identity.organization import OrganizationSettings
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.transcript_tables import request_log
from tollway.storage.sql.transcripts import SqlTranscripts

REQUEST = b'{"messages":[{"role":"user","content":"a\\u0000b \\ud83d\\ude00"}],"x":[{"apiKey":"sk-1"}]}'
STORED = {"messages": [{"role": "user", "content": "ab 😀"}], "x": [{"apiKey": "***"}]}
ONE = Transcript("r1", START, "ann", None, "vercel", "a/b", 200, REQUEST, b"data: \0hello, and much more")


@pytest.fixture
def store(database: Database) -> SqlTranscripts:
    return SqlTranscripts(database, response_bytes=11)


async def found(database: Database, id_: str, **settings: Any) -> None:
    """An organization with these settings."""
    made = Organization(id_, id_, "teams", START, settings=OrganizationSettings(**settings))
    await SqlAdmin(database).add_organization(made)


async def rows(database: Database) -> list[Any]:
    query = select(request_log).order_by(request_log.c.id)
    return await database.read(lambda connection: list(connection.execute(query).all()))


async def test_what_is_stored(store: SqlTranscripts, database: Database) -> None:
    """V200, and 10.5: secrets masked, NUL stripped, the answer cut."""
    await found(database, "acme", request_log_days=7)
    await store.add([replace(ONE, organization_id="acme")])
    (row,) = await rows(database)
    assert row._asdict() == {
        "id": "r1",
        "created_at": START,
        "user_id": "ann",
        "organization_id": "acme",
        "provider_id": "vercel",
        "model": "a/b",
        "status_code": 200,
        "request": STORED,
        "response": "data: hello",
    }


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_changes_nothing(
    store: SqlTranscripts, database: Database, committed: bool
) -> None:
    with CommitFault(database, 1, committed=committed):
        await store.add([ONE, replace(ONE, id="r2")])
    await store.add([ONE])
    assert [row.id for row in await rows(database)] == ["r1", "r2"]


async def test_nothing_is_written_of_a_user_who_was_deleted_meanwhile(
    store: SqlTranscripts, database: Database
) -> None:
    """Guarantee P3: not even what still waited in memory."""
    admin = SqlAdmin(database)
    for name in ("ann", "bob"):
        await admin.add_user(User(name, f"{name}@example.com", name, None, START), "pepper")
    await admin.set_blocked("bob", "abuse", START)
    assert await admin.erase_user("ann", "fresh", START) is Erasure.DONE
    await store.add([ONE, replace(ONE, id="r2", user_id="bob")])
    assert [row.id for row in await rows(database)] == ["r2"]
    await store.add([ONE])
    assert len(await rows(database)) == 1


async def test_what_no_database_takes_is_told_as_such(store: SqlTranscripts, database: Database) -> None:
    with pytest.raises(ValueError, match="refused"):
        await store.add([ONE, replace(ONE, id="r2", model=None)])
    assert await rows(database) == []
