"""SecretStore: every sealed column is found, and only its wrapping changes, whoever else writes meanwhile."""

from typing import Any

import pytest
from sqlalchemy import select

from contract.scenario import START
from contract.test_owned import ACME, ACME_ID, ANN, add, add_owners, endpoint, key
from tollway.admin.secrets import Rewrapped, rewrap_secrets
from tollway.identity.owned import BYOK_KEYS, CUSTOM_UPSTREAMS, Owner, secret_place
from tollway.identity.sealing import SealingKeys, seal, unseal
from tollway.ids import random_bytes
from tollway.storage.sql.admin.secrets import SEALED, SqlSecrets
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.storage.sql.tables import metadata

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
    first = await store.secrets(BYOK_KEYS, "sealed_key", "", 1)
    rest = await store.secrets(BYOK_KEYS, "sealed_key", first[0].place.row_id, 1)
    assert [one.place.row_id for one in (*first, *rest)] == ["1", "2"]
    assert await store.secrets(BYOK_KEYS, "sealed_key", "2", 1) == ()


async def test_what_was_replaced_meanwhile_is_not_put_back(database: Database) -> None:
    """The change is made of what is stored then, not of what was read before."""
    await prepare(database)
    store = SqlSecrets(database)
    (first, _) = await store.secrets(BYOK_KEYS, "sealed_key", "", 10)
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


def test_no_sealed_column_is_forgotten() -> None:
    named = {column for table in metadata.tables.values() for column in table.c if column.name.startswith("sealed_")}
    assert named == set(SEALED)
