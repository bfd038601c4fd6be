"""OwnKeyStore and EndpointStore: one owner's keys are nobody else's, and a change is whole or not at all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from contract.commit_fault import CommitFault
from contract.scenario import START
from contract.test_owned import ACME, ANN, SEALED, add_owners
from tollway.admin.records import AuditEntry, Page, StoredOwnKey
from tollway.identity.owned import Owner, OwnerKind, StoredKey
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.endpoints import SqlEndpoints
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.own_tables import byok_keys

LATER = START + timedelta(seconds=1)
BOB = Owner(OwnerKind.USER, "bob")
OTHER = {**SEALED, "sealed": "BB=="}


def key(id_: str, owner: Owner = ANN, provider_id: str = "openai", **changes: Any) -> StoredOwnKey:
    return replace(StoredOwnKey(id_, owner, provider_id, "wxyz", True, START, START, "ann"), **changes)


def audit(id_: str, message: str = "Added") -> AuditEntry:
    return AuditEntry(id_, ACME.id, "ann", "organization.settings.change", message, START)


async def revision(database: Database) -> int:
    return await SqlIdentity(database).revision()


async def test_keys_are_listed_in_order_of_creation_without_their_secrets(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    later, first, acmes = key("1", provider_id="google", created_at=LATER), key("2"), key("3", ACME)
    for row in (later, first, acmes):
        assert await admin.add_own_key(row, SEALED, None)
    assert await admin.list_own_keys(ANN) == (first, later)
    assert await admin.list_own_keys(ACME) == (acmes,)
    assert await admin.list_own_keys(BOB) == ()
    assert "AA==" not in repr(await admin.list_own_keys(ANN))


async def test_a_sealed_key_is_its_owners_alone(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_own_key(key("1", is_enabled=False), SEALED, None)
    assert await admin.sealed_own_key(ANN, "1") == SEALED
    assert await admin.sealed_own_key(ACME, "1") is None
    assert await admin.sealed_own_key(ANN, "2") is None


async def test_the_gateway_sees_every_change_and_is_told(database: Database) -> None:
    admin, identity = SqlAdmin(database), SqlIdentity(database)
    await add_owners(database)
    seen = [await revision(database)]

    async def keys() -> tuple[StoredKey, ...]:
        changes = await identity.changes(seen[-1])
        assert changes.subjects == {ANN.id}
        seen.append(changes.revision)
        return (await identity.owned(ANN)).keys

    assert await admin.add_own_key(key("1"), SEALED, None)
    assert await keys() == (StoredKey("1", ANN, "openai", SEALED),)
    changed = await admin.replace_own_key(ANN, "1", OTHER, "4567", LATER, None)
    assert changed == key("1", last_four="4567", updated_at=LATER)
    assert await keys() == (StoredKey("1", ANN, "openai", OTHER),)
    assert await admin.enable_own_key(ANN, "1", False, LATER, None) == replace(changed, is_enabled=False)
    assert await keys() == ()
    assert await admin.enable_own_key(ANN, "1", True, LATER, None) == changed
    assert len(await keys()) == 1
    assert await admin.delete_own_key(ANN, "1", None)
    assert await keys() == ()
    assert seen == sorted(set(seen)), "a change that no worker hears of"


@pytest.mark.parametrize("owner", [ACME, BOB], ids=["organization", "another user"])
async def test_a_key_of_another_owner_is_not_there(database: Database, owner: Owner) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_own_key(key("1"), SEALED, None)
    before = await revision(database)
    assert await admin.replace_own_key(owner, "1", OTHER, "", LATER, audit("a1")) is None
    assert await admin.enable_own_key(owner, "1", False, LATER, audit("a2")) is None
    assert not await admin.delete_own_key(owner, "1", audit("a3"))
    assert await admin.list_own_keys(ANN) == (key("1"),)
    assert await revision(database) == before
    assert await admin.list_audit(ACME.id, Page()) == ()


async def test_one_key_for_each_provider(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    assert await admin.add_own_key(key("1", ACME), SEALED, audit("a1"))
    assert not await admin.add_own_key(key("2", ACME), OTHER, audit("a2"))
    assert await admin.add_own_key(key("3"), SEALED, None)  # another owner's
    assert await admin.list_own_keys(ACME) == (key("1", ACME),)
    assert await admin.list_audit(ACME.id, Page()) == (
        replace(audit("a1"), actor_email="ann@example.com", actor_name="Ann"),
    )


async def test_a_change_without_its_audit_entry_is_not_made(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_own_key(key("1", ACME, "google"), SEALED, None)
    await database.write(_refuse_audits)
    for step in (
        lambda: admin.add_own_key(key("2", ACME), SEALED, audit("a1")),
        lambda: admin.enable_own_key(ACME, "1", False, LATER, audit("a2")),
        lambda: admin.delete_own_key(ACME, "1", audit("a3")),
    ):
        with pytest.raises(Exception, match="audit"):
            await step()
    assert await admin.list_own_keys(ACME) == (key("1", ACME, "google"),)


def _refuse_audits(connection: Connection) -> None:
    connection.execute(text("DROP TABLE audit_log"))


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_changes_nothing(database: Database, committed: bool) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    off = key("1", ACME, is_enabled=False, updated_at=LATER)
    for step, expected in (
        (lambda: admin.add_own_key(key("1", ACME), SEALED, audit("a1")), True),
        (lambda: admin.enable_own_key(ACME, "1", False, LATER, audit("a2")), off),
        (lambda: admin.delete_own_key(ACME, "1", audit("a3")), True),
    ):
        with CommitFault(database, 1, committed=committed):
            assert await step() == expected
    assert len(await admin.list_audit(ACME.id, Page())) == 3


async def test_the_audit_log_is_listed_newest_first(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    for number in range(3):
        entry = replace(audit(f"a{number}"), created_at=START + timedelta(seconds=number))
        await admin.enable_own_key(ANN, "none", True, START, entry)
        await admin.add_own_key(key(str(number), ACME, f"p{number}"), SEALED, entry)
    newest = await admin.list_audit(ACME.id, Page(2))
    assert [entry.id for entry in newest] == ["a2", "a1"]
    assert [entry.id for entry in await admin.list_audit(ACME.id, Page(2, "a1"))] == ["a0"]
    assert await admin.list_audit("other", Page()) == ()


async def test_sealed_keys_are_kept_as_they_are(database: Database) -> None:
    """Those of the reference too, so that what was taken over opens."""
    taken_over = {"iv": "AAEC", "data": "NGn7", "authTag": "4E7s"}
    await add_owners(database)
    await SqlAdmin(database).add_own_key(key("1"), taken_over, None)
    stored = await database.read(lambda connection: connection.execute(select(byok_keys.c.sealed_key)).scalar_one())
    assert stored == taken_over


async def test_endpoints_are_replaced_whole(database: Database) -> None:
    store = SqlEndpoints(database)
    assert await store.endpoints() == {}
    await store.replace_endpoints({"a/b": ("openai", "azure"), "c/d": ()})
    assert await store.endpoints() == {"a/b": ("openai", "azure"), "c/d": ()}
    await store.replace_endpoints({"e/f": ("zai",)})
    assert await store.endpoints() == {"e/f": ("zai",)}
    await store.replace_endpoints({})
    assert await store.endpoints() == {}
