"""What an owner brings along, as the gateway reads it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Table
from sqlalchemy.exc import IntegrityError

from contract.scenario import START
from tollway.admin.records import Organization, User
from tollway.billing.store import StoreUnavailableError
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredUpstream
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams

ACME_ID = "11111111-1111-4111-8111-111111111111"
ANN, ACME = Owner(OwnerKind.USER, "ann"), Owner(OwnerKind.ORGANIZATION, ACME_ID)
SEALED = {"version": 1, "key_id": "k1", "wrapped_key": "AA==", "sealed": "AA=="}


async def add_owners(database: Database) -> None:
    admin = SqlAdmin(database)
    await admin.add_user(User("ann", "ann@example.com", "Ann", None, START), "pepper")
    await admin.add_organization(Organization(ACME_ID, "Acme", "teams", START))


def key(id_: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "user_id": "ann",
        "organization_id": None,
        "provider_id": "openai",
        "sealed_key": SEALED,
        "last_four": "wxyz",
        "is_enabled": True,
        "created_at": START,
        "updated_at": START,
        "created_by": "ann",
        **changes,
    }


def endpoint(id_: str, **changes: Any) -> dict[str, Any]:
    more = {
        "provider_id": "acme",
        "display_name": "Acme",
        "base_url": "https://llm.example.com/v1",
        "sealed_headers": None,
        "header_names": (),
        "model_metadata": {"models": [{"id": "M1"}, {"id": ""}]},
    }
    return key(id_, **{**more, **changes})


async def add(database: Database, table: Table, *rows: dict[str, Any]) -> None:
    def work(connection: Connection) -> None:
        for row in rows:
            connection.execute(table.insert(), row)

    await database.write(work)


async def test_enabled_rows_of_that_owner_come_back_in_order_of_creation(database: Database) -> None:
    await add_owners(database)
    later = START + timedelta(seconds=1)
    await add(
        database,
        byok_keys,
        key("1", created_at=later),
        key("2", provider_id="anthropic"),
        key("3", provider_id="google", is_enabled=False),
        key("4", user_id=None, organization_id=ACME_ID),
    )
    await add(
        database,
        custom_upstreams,
        endpoint("1", sealed_headers=SEALED, header_names=("X-Tenant",)),
        endpoint("2", provider_id="off", is_enabled=False, sealed_key=None),
        endpoint("3", user_id=None, organization_id=ACME_ID),
    )
    identity = SqlIdentity(database)
    mine = await identity.owned(ANN)
    assert mine.keys == (StoredKey("2", ANN, "anthropic", SEALED), StoredKey("1", ANN, "openai", SEALED))
    url = "https://llm.example.com/v1"
    assert mine.upstreams == {"acme": StoredUpstream("1", ANN, "acme", url, SEALED, SEALED, {"m1": "M1"})}
    ours = await identity.owned(ACME)
    assert [one.id for one in ours.keys] == ["4"]
    assert ours.upstreams["acme"] == StoredUpstream("3", ACME, "acme", url, SEALED, None, {"m1": "M1"})
    assert await identity.owned(Owner(OwnerKind.USER, "bob")) == Owned()


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (byok_keys, key("2")),
        (byok_keys, key("2", provider_id="x", organization_id=ACME_ID)),
        (byok_keys, key("2", provider_id="x", user_id=None)),
        (custom_upstreams, endpoint("2")),
        (custom_upstreams, endpoint("2", provider_id="Big")),
        (custom_upstreams, endpoint("2", provider_id="x", sealed_key=None)),
        (custom_upstreams, endpoint("2", provider_id="x", user_id=None)),
    ],
    ids=["twice", "two owners", "no owner", "twice at endpoints", "spelling", "enabled without a key", "nobody's"],
)
async def test_the_database_refuses(database: Database, table: Table, row: dict[str, Any]) -> None:
    await add_owners(database)
    await add(database, byok_keys, key("1"))
    await add(database, custom_upstreams, endpoint("1"))
    with pytest.raises((IntegrityError, StoreUnavailableError)):
        await add(database, table, row)
