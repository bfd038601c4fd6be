"""SecretStore: every sealed column is found, and only its wrapping changes, whoever else writes meanwhile."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, select, text, update

from contract.scenario import START
from contract.test_custom_llms import ROW
from contract.test_owned import ACME, ACME_ID, ANN, add, add_owners, endpoint, key
from tollway.admin.answers import Answer, Answers, Asked, asked
from tollway.admin.master_keys import REFERENCE, KnownKey, StoredUses
from tollway.admin.secrets import Rewrapped, rewrap_secrets
from tollway.identity.owned import BYOK_KEYS, CUSTOM_UPSTREAMS, Owner, llm_place, secret_place
from tollway.identity.sealing import SealError, SealingKeys, seal, unseal
from tollway.ids import random_bytes
from tollway.storage import sql
from tollway.storage.sql.admin.secrets import SEALED, SqlSecrets
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.answers import SqlAnswers
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.storage.sql.tables import metadata

for tables in Path(sql.__file__).parent.glob("*_tables.py"):
    import_module(f"{sql.__name__}.{tables.stem}")

OLD, NEW = bytes(32), bytes([1]) * 32
BEFORE = SealingKeys({"old": OLD}, "old")
AFTER = SealingKeys({"new": NEW, "old": OLD}, "new")
ALONE = SealingKeys({"new": NEW}, "new")


def sealed(table: str, column: str, id_: str, owner: Owner, provider_id: str, text: str) -> dict[str, Any]:
    return seal(text, secret_place(table, column, id_, owner, provider_id), BEFORE, random_bytes)


async def prepare(database: Database) -> None:
    """Ann's and Acme's, of each kind; one without headers, and one whose key was cleared."""
    await add_owners(database)
    for id_, owner, columns in (
        ("1", ANN, {"user_id": "ann", "organization_id": None}),
        ("2", ACME, {"user_id": None, "organization_id": ACME_ID}),
    ):
        own = sealed(BYOK_KEYS, "sealed_key", id_, owner, "openai", f"key {id_}")
        await add(database, byok_keys, key(id_, sealed_key=own, **columns))
        at = sealed(CUSTOM_UPSTREAMS, "sealed_key", id_, owner, "acme", f"upstream {id_}")
        headers = sealed(CUSTOM_UPSTREAMS, "sealed_headers", id_, owner, "acme", f"headers {id_}")
        await add(database, custom_upstreams, endpoint(id_, sealed_key=at, sealed_headers=headers, **columns))
    await add(database, custom_upstreams, endpoint("3", provider_id="off", sealed_key=None, is_enabled=False))


async def opened(database: Database, keys: SealingKeys) -> list[str]:
    identity, found = SqlIdentity(database), []
    for owner in (ANN, ACME):
        owned = await identity.owned(owner)
        found += [unseal(one.sealed, one.place, keys) for one in owned.keys]
        for row in owned.upstreams.values():
            assert row.sealed_headers
            found += [unseal(row.sealed_key, row.key_place, keys), unseal(row.sealed_headers, row.headers_place, keys)]
    return found


async def test_every_sealed_column_is_wrapped_anew(database: Database) -> None:
    await prepare(database)
    before = await opened(database, BEFORE)
    assert len(before) == 6
    assert await rewrap_secrets(SqlSecrets(database), AFTER, random_bytes) == Rewrapped(6, 0)
    assert await opened(database, ALONE) == before


async def test_pages_follow_each_other(database: Database) -> None:
    await prepare(database)
    store = SqlSecrets(database)
    (first,) = await store.secrets(BYOK_KEYS, "sealed_key", None, 1)
    (second,) = await store.secrets(BYOK_KEYS, "sealed_key", first.place, 1)
    assert [first.place.row_id, second.place.row_id] == ["1", "2"]
    assert await store.secrets(BYOK_KEYS, "sealed_key", second.place, 1) == ()


async def test_answers_are_wrapped_anew_as_well(database: Database) -> None:
    """Their rows have a key of two columns, and one key of a client may be in several scopes."""
    await add_owners(database)
    before = Answers(SqlAnswers(database), BEFORE, random_bytes)
    questions = [asked("ann", f"POST /{route}", key, b"{}", START) for route in "ab" for key in ("k", "l")]
    for number, question in enumerate(questions):
        assert isinstance(question, Asked)
        assert await before.begin(question) is None
        await before.end(question, Answer(201, f"answer {number}"))
    running = asked("ann", "POST /c", "k", b"{}", START)
    assert isinstance(running, Asked)
    assert await before.begin(running) is None  # it has no answer yet
    store = SqlSecrets(database)
    pages, after = [], None
    while page := await store.secrets("stored_answers", "answer", after, 3):
        pages.append(len(page))
        after = page[-1].place
    assert pages == [3, 1]
    assert await rewrap_secrets(store, AFTER, random_bytes) == Rewrapped(4, 0)
    later = Answers(SqlAnswers(database), ALONE, random_bytes)
    for number, question in enumerate(questions):
        assert isinstance(question, Asked)
        assert await later.begin(replace(question, claim="another")) == Answer(201, f"answer {number}")


async def test_keys_of_llms_are_wrapped_anew_as_well(database: Database) -> None:
    place = llm_place(ROW.public_id)
    await SqlAdmin(database).add_llm(ROW, seal("key", place, BEFORE, random_bytes))
    assert await rewrap_secrets(SqlSecrets(database), AFTER, random_bytes) == Rewrapped(1, 0)
    (found,) = await SqlSecrets(database).secrets("custom_llms", "sealed_key", None, 10)
    assert unseal(found.sealed, place, ALONE) == "key"


async def test_uses_are_counted_by_key(database: Database) -> None:
    """Of every column, whatever form a secret has, and damage does not end the count."""
    await prepare(database)
    store = SqlSecrets(database)
    assert await store.uses() == StoredUses({"old": 6}, {})
    for id_, sealed_key in (
        ("2", {"iv": "AAAA", "data": "AAAA", "authTag": "AAAA"}),
        ("1", {"version": 1, "wrapped_key": "AAAA"}),
    ):
        change = update(byok_keys).where(byok_keys.c.id == id_).values(sealed_key=sealed_key)
        await database.write(lambda connection, change=change: connection.execute(change))
    assert (await store.uses()).secrets == {"old": 4, REFERENCE: 1, "": 1}
    if database.dialect == "sqlite":
        text_ = text("UPDATE custom_upstreams SET sealed_headers = '{\"version' WHERE id = '1'")
        await database.write(lambda connection: connection.execute(text_))
        assert (await store.uses()).secrets == {"old": 3, REFERENCE: 1, "": 2}
        assert await rewrap_secrets(store, AFTER, random_bytes) == Rewrapped(3, 3)
    assert [one.place.row_id for one in await store.sealed_under(REFERENCE, 5)] == ["2"]


async def test_text_that_is_no_json_is_a_secret_that_does_not_open(database: Database) -> None:
    """Its owner's other secrets are read all the same."""
    if database.dialect != "sqlite":
        return  # PostgreSQL keeps no such thing
    await prepare(database)
    broken = text("UPDATE custom_upstreams SET sealed_key = '{\"version' WHERE id = '1'")
    await database.write(lambda connection: connection.execute(broken))
    owned = await SqlIdentity(database).owned(ANN)
    row = owned.upstreams["acme"]
    assert row.sealed_headers
    assert unseal(row.sealed_headers, row.headers_place, BEFORE) == "headers 1"
    with pytest.raises(SealError):
        unseal(row.sealed_key, row.key_place, BEFORE)


async def test_secrets_of_a_key_are_found(database: Database) -> None:
    await prepare(database)
    found = await SqlSecrets(database).sealed_under("old", 1)
    assert [(one.place.table, one.place.column) for one in found] == [
        ("byok_keys", "sealed_key"),
        ("custom_upstreams", "sealed_key"),
        ("custom_upstreams", "sealed_headers"),
    ]
    assert await SqlSecrets(database).sealed_under("new", 1) == ()


async def test_keys_that_were_here_are_kept(database: Database) -> None:
    store = SqlSecrets(database)
    await store.keep_check("old", {"a": 1}, START)
    await store.keep_check("old", {"a": 2}, START)
    await store.abandon("old", START)
    await store.abandon("older", START)
    assert (await store.uses()).known == {"old": KnownKey({"a": 2}, True), "older": KnownKey(None, True)}
    await store.keep_check("old", {"a": 3}, START)
    assert (await store.uses()).known["old"] == KnownKey({"a": 3}, False)


async def test_what_was_replaced_meanwhile_is_not_put_back(database: Database) -> None:
    """The change is made of what is stored then, not of what was read before."""
    await prepare(database)
    store = SqlSecrets(database)
    (first, _) = await store.secrets(BYOK_KEYS, "sealed_key", None, 10)
    newer = seal("newer", first.place, AFTER, random_bytes)
    await SqlAdmin(database).replace_own_key(ANN, "1", newer, "", START, None)
    assert not await store.change(first.place, lambda now: None if now == newer else {})
    stored = select(byok_keys.c.sealed_key).where(byok_keys.c.id == "1")
    assert await database.read(lambda connection: connection.execute(stored).scalar_one()) == newer


@pytest.mark.parametrize("table", ["byok_keys", "custom_upstreams"])
async def test_a_row_that_is_gone_or_somebody_elses_is_left_alone(database: Database, table: str) -> None:
    await prepare(database)
    store = SqlSecrets(database)
    for id_, owner in (("9", ANN), ("1", ACME)):
        place = secret_place(table, "sealed_key", id_, owner, "openai")
        assert not await store.change(place, lambda _: {})


NOT_SECRET = {
    "organizations.settings",
    "custom_upstreams.model_metadata",
    "master_keys.check_value",  # it is made anew where its key is
    "request_log.request",
    "subscription_events.payload",
    "notices.payload",
}


def test_no_sealed_column_is_forgotten() -> None:
    """Whoever adds a JSON column says which it is."""
    json = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.c
        if isinstance(column.type, JSON)
    }
    assert json - NOT_SECRET == {".".join(name) for name in SEALED}
