"""Vectors B-05 to B-17 of catalog-and-clients, as far as they are about the use cases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.own_keys import (
    KEY_CHARS_MAX,
    Desk,
    add_own_key,
    delete_own_key,
    enable_own_key,
    list_own_keys,
    replace_own_key,
)
from tollway.admin.ownership import OPERATOR, Actor
from tollway.admin.records import Page, StoredOwnKey
from tollway.admin.users import NewUser, create_user
from tollway.catalog.preset import OwnKeys
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.sealing import unseal
from tollway.ids import new_id, random_bytes
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.identity import SqlIdentity
from unit.gateway.fakes import SEALING_KEYS

CANARY = "sk-test-1230000000WXYZ"
AWS = '{\n "accessKeyId": "AKIA0123456789WXYZ", "secretAccessKey": "S", "region": "us-east-1"\n}'


@dataclass(frozen=True)
class World:
    """Acme, which ann owns, and bob, who is a member of it."""

    desk: Desk
    acme: Owner
    ann: Owner
    bob: Owner

    def as_(self, actor: Owner) -> Desk:
        return replace(self.desk, actor=Actor(actor.id))

    async def opened(self, owner: Owner) -> dict[str, str]:
        """Enabled keys in the open, as a request would see them."""
        stored = await SqlIdentity(self.desk.store._database).owned(owner)  # type: ignore[attr-defined]
        return {key.provider_id: unseal(key.sealed, key.place, SEALING_KEYS) for key in stored.keys}

    async def audited(self) -> list[str]:
        """All at one instant, so in no order."""
        return sorted(entry.message for entry in await self.desk.store.list_audit(self.acme.id, Page()))


@pytest.fixture
def play(store: SqlAdmin, now: datetime) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    async def with_world(scenario: Callable[[World], Awaitable[None]]) -> None:
        made = await create_organization(store, NewOrganization("Acme"), now)
        assert not isinstance(made, Problem)
        owners = [Owner(OwnerKind.ORGANIZATION, made.id)]
        for name, role in (("ann", Role.OWNER), ("bob", Role.MEMBER)):
            user = await create_user(store, NewUser(f"{name}@example.com"), now)
            assert not isinstance(user, Problem)
            await add_member(store, made.id, user.id, role, now)
            owners.append(Owner(OwnerKind.USER, user.id))
        desk = Desk(store, SEALING_KEYS, random_bytes, OwnKeys().provider_ids, OPERATOR, now)
        await scenario(World(desk, *owners))

    return lambda scenario: asyncio.run(with_world(scenario))


def test_a_key_is_sealed_and_shown_by_its_end(play: Any) -> None:
    async def scenario(world: World) -> None:
        added = await add_own_key(world.desk, world.ann, " Anthropic ", f" {CANARY}\n")
        assert isinstance(added, StoredOwnKey)
        assert (added.provider_id, added.last_four, added.created_by) == ("anthropic", "WXYZ", "operator")
        assert await list_own_keys(world.desk.store, OPERATOR, world.ann) == (added,)
        assert await world.opened(world.ann) == {"anthropic": CANARY}
        dump = "".join(world.desk.store._database._writer.engine.raw_connection().iterdump())  # type: ignore[attr-defined]
        assert CANARY not in dump + repr(added) + repr(world.desk)
        assert await world.audited() == []

    play(scenario)


def test_every_change_of_an_organizations_is_audited(play: Any) -> None:
    async def scenario(world: World) -> None:
        desk = world.as_(world.ann)
        added = await add_own_key(desk, world.acme, "bedrock", AWS)
        assert isinstance(added, StoredOwnKey)
        assert (added.last_four, added.created_by) == ("WXYZ", world.ann.id)
        replaced = await replace_own_key(desk, world.acme, "bedrock", AWS.replace("WXYZ", "4567"))
        assert isinstance(replaced, StoredOwnKey)
        assert (replaced.id, replaced.last_four) == (added.id, "4567")
        for enabled in (False, True):
            changed = await enable_own_key(desk, world.acme, added.id, enabled=enabled)
            assert isinstance(changed, StoredOwnKey)
            assert (changed.is_enabled, await world.opened(world.acme) != {}) == (enabled, enabled)
        assert await delete_own_key(desk, world.acme, "bedrock") == changed
        assert await world.opened(world.acme) == {}
        assert await world.audited() == [
            f"{what} BYOK key for provider: bedrock" for what in ("Added", "Deleted", "Disabled", "Enabled", "Updated")
        ]
        (entry, *_) = await desk.store.list_audit(world.acme.id, Page())
        assert (entry.actor, entry.action) == (world.ann.id, "organization.settings.change")

    play(scenario)


@pytest.mark.parametrize(
    ("provider_id", "text", "field"),
    [
        ("nosuch", CANARY, "provider"),
        ("anthropic", " \n", "key"),
        ("anthropic", f"{CANARY}\0", "key"),
        ("anthropic", f"{CANARY}\n{CANARY}", "key"),
        ("anthropic", "x" * (KEY_CHARS_MAX + 1), "key"),
        ("bedrock", CANARY, "key"),
        ("bedrock", f'"{CANARY}"', "key"),
        ("bedrock", f'{{"accessKeyId":"{CANARY}"}}', "key"),
    ],
)
def test_what_is_no_key_is_refused_without_repeating_it(play: Any, provider_id: str, text: str, field: str) -> None:
    async def scenario(world: World) -> None:
        problem = await add_own_key(world.desk, world.acme, provider_id, text)
        assert isinstance(problem, Problem)
        assert problem.code is Code.BAD_REQUEST
        assert str(problem.shown).startswith(f"{field}: ")
        assert CANARY not in repr(problem)
        if field == "key":
            assert isinstance(await add_own_key(world.desk, world.acme, provider_id, _good(provider_id)), StoredOwnKey)
            assert isinstance(await replace_own_key(world.desk, world.acme, provider_id, text), Problem)
            assert await world.opened(world.acme) == {provider_id: _good(provider_id)}

    play(scenario)


def _good(provider_id: str) -> str:
    return AWS if provider_id == "bedrock" else CANARY


def test_a_second_key_for_one_provider_is_a_conflict(play: Any) -> None:
    async def scenario(world: World) -> None:
        await add_own_key(world.desk, world.acme, "anthropic", CANARY)
        assert _code(await add_own_key(world.desk, world.acme, "ANTHROPIC", "other")) is Code.CONFLICT
        assert await world.opened(world.acme) == {"anthropic": CANARY}
        assert len(await world.audited()) == 1

    play(scenario)


def test_members_look_and_do_not_touch(play: Any) -> None:
    async def scenario(world: World) -> None:
        added = await add_own_key(world.desk, world.acme, "anthropic", CANARY)
        desk = world.as_(world.bob)
        assert await list_own_keys(desk.store, desk.actor, world.acme) == (added,)
        for refused in (
            await add_own_key(desk, world.acme, "openai", CANARY),
            await replace_own_key(desk, world.acme, "anthropic", CANARY),
            await enable_own_key(desk, world.acme, "anthropic", enabled=False),
            await delete_own_key(desk, world.acme, "anthropic"),
        ):
            assert _code(refused) is Code.FORBIDDEN
        assert await world.opened(world.acme) == {"anthropic": CANARY}
        assert len(await world.audited()) == 1

    play(scenario)


def test_a_key_of_another_owner_is_like_one_that_is_not_there(play: Any) -> None:
    async def scenario(world: World) -> None:
        await add_own_key(world.desk, world.ann, "anthropic", CANARY)
        ((anns,), desk) = (await world.desk.store.list_own_keys(world.ann), world.as_(world.bob))
        problems = []
        for named in (anns.id, new_id(), "anthropic", ""):
            problems += [
                await replace_own_key(desk, world.bob, named, CANARY),
                await enable_own_key(desk, world.bob, named, enabled=False),
                await delete_own_key(desk, world.bob, named),
            ]
        assert {(_code(problem), problem.shown) for problem in problems if isinstance(problem, Problem)} == {
            (Code.NOT_FOUND, "BYOK key not found")
        }
        assert _code(await list_own_keys(desk.store, desk.actor, world.ann)) is Code.FORBIDDEN
        assert await world.opened(world.ann) == {"anthropic": CANARY}

    play(scenario)


def _code(result: object) -> Code | None:
    return result.code if isinstance(result, Problem) else None
