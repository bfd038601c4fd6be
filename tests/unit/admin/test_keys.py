import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from tollway.admin.keys import CreatedKey, KeyFilter, NewKey, create_key, list_keys, revoke_key
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.records import ApiKey, Page
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.keys import hash_key, is_well_formed
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.identity import SqlIdentity

PEPPER = b"pepper"


async def _prepare(store: SqlAdmin, now: datetime) -> None:
    await create_organization(store, NewOrganization("Acme"), now)
    await create_user(store, NewUser("ann@example.com"), now)
    await create_user(store, NewUser("eve@example.com"), now)
    await add_member(store, "Acme", "ann@example.com", Role.MEMBER, now)


def test_a_key_is_shown_once_and_stored_as_a_hash(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await _prepare(store, now)
        order = NewKey("ann@example.com", "Acme", " laptop ", 5_000_000, now + timedelta(days=1))
        created = await create_key(store, order, PEPPER, now)
        assert isinstance(created, CreatedKey)
        assert is_well_formed(created.key)
        assert created.key not in repr(created)
        found = await SqlIdentity(store._database).key_by_hash(hash_key(created.key, PEPPER))
        assert found is not None
        assert (found[0].id, found[0].limit_microdollars) == (created.api_key.id, 5_000_000)
        assert created.api_key.label == "laptop"
        assert created.key.endswith(created.api_key.last_four)
        assert await list_keys(store, KeyFilter(), Page()) == (created.api_key,)
        assert created.key not in "".join(store._database._writer.engine.raw_connection().iterdump())

    asyncio.run(scenario())


def test_wrong_fields_are_refused(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await _prepare(store, now)
        good = NewKey("ann@example.com")
        for order, code in (
            (replace(good, label="a\0"), Code.BAD_REQUEST),
            (replace(good, limit_microdollars=-1), Code.BAD_REQUEST),
            (replace(good, expires_at=now), Code.BAD_REQUEST),
            (replace(good, user="who"), Code.NOT_FOUND),
            (replace(good, organization="Who"), Code.NOT_FOUND),
            (replace(good, user="eve@example.com", organization="Acme"), Code.FORBIDDEN),
        ):
            assert _code(await create_key(store, order, PEPPER, now)) is code, order
        assert await list_keys(store, KeyFilter(), Page()) == ()

    asyncio.run(scenario())


def test_keys_are_listed_by_user_and_organization(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await _prepare(store, now)
        labels = {
            "a": NewKey("ann@example.com"),
            "b": NewKey("ann@example.com", "Acme"),
            "c": NewKey("eve@example.com"),
        }
        for label, order in labels.items():
            await create_key(store, replace(order, label=label), PEPPER, now)

        async def listed(*wanted: str | None) -> set[str]:
            keys = await list_keys(store, KeyFilter(*wanted), Page())
            assert not isinstance(keys, Problem)
            return {key.label for key in keys}

        assert await listed() == {"a", "b", "c"}
        assert await listed("ann@example.com") == {"a", "b"}
        assert await listed(None, "Acme") == {"b"}
        assert await listed("eve@example.com", "Acme") == set()
        assert _code(await list_keys(store, KeyFilter("who"), Page())) is Code.NOT_FOUND
        assert _code(await list_keys(store, KeyFilter(None, "Who"), Page())) is Code.NOT_FOUND
        assert _code(await list_keys(store, KeyFilter(), Page(0))) is Code.BAD_REQUEST

    asyncio.run(scenario())


def test_revoking_keeps_the_first_time(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await _prepare(store, now)
        created = await create_key(store, NewKey("ann@example.com"), PEPPER, now)
        assert isinstance(created, CreatedKey)
        for later in (0, 5):
            revoked = await revoke_key(store, created.api_key.id, now + timedelta(seconds=later))
            assert isinstance(revoked, ApiKey)
            assert revoked.revoked_at == now
        for unknown in ("nothing", "", "a\0"):
            assert _code(await revoke_key(store, unknown, now)) is Code.NOT_FOUND

    asyncio.run(scenario())


def _code(result: object) -> Code | None:
    return result.code if isinstance(result, Problem) else None
