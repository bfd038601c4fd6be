"""Service accounts among the members: what they are not, whoever asks."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tollway.admin.invitations import accept_invitation, invite
from tollway.admin.key_changes import KeyChange, KeyDesk, create_key_for
from tollway.admin.keys import CreatedKey
from tollway.admin.members import MemberChange, change_member, remove_member
from tollway.admin.office import Office
from tollway.admin.organization_changes import found_organization
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.ownership import OPERATOR, Actor
from tollway.admin.records import Member, Organization, Page, User
from tollway.admin.service_accounts import NO_OWNER, NO_PERSON, NOT_INVITED, NOT_REMOVED, check_role
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.owned import Owner, OwnerKind
from tollway.storage.sql.admin.store import SqlAdmin

PEPPER = b"pepper"


class World:
    """Acme: Ann owns it, Bob manages billing, Cid and the program are members."""

    def __init__(self, store: SqlAdmin, now: datetime, organization: str, people: dict[str, User]) -> None:
        self.store, self.now, self.organization, self.people = store, now, organization, people

    def office(self, name: str | None) -> Office:
        return Office(self.store, OPERATOR if name is None else Actor(self.people[name].id), self.now)

    def desk(self, name: str, with_key: str | None = None) -> KeyDesk:
        return KeyDesk(self.office(name), Owner(OwnerKind.ORGANIZATION, self.organization), PEPPER, with_key)


async def world_of(store: SqlAdmin, now: datetime) -> World:
    made = await create_organization(store, NewOrganization("Acme"), now)
    assert isinstance(made, Organization)
    people = {}
    roles = (("ann", Role.OWNER), ("bob", Role.BILLING_MANAGER), ("cid", Role.MEMBER), ("bot", Role.MEMBER))
    for name, role in roles:
        user = await create_user(store, NewUser(f"{name}@example.com", is_bot=name == "bot"), now)
        assert isinstance(user, User)
        people[name] = user
        assert isinstance(await add_member(store, made.id, user.id, role, now), Member)
    return World(store, now, made.id, people)


@pytest.mark.parametrize("role", list(Role))
def test_a_person_has_any_role_and_a_program_all_but_one(role: Role) -> None:
    assert check_role(False, role) is None
    assert (check_role(True, role) is None) is (role is not Role.OWNER)


def test_nobody_removes_it_and_whoever_may_not_touch_it_is_told_that(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        world = await world_of(store, now)
        for name in ("ann", "bob", None):
            refused = await remove_member(world.office(name), world.organization, "bot@example.com")
            assert refused == NOT_REMOVED
        refused = await remove_member(world.office("cid"), world.organization, "bot@example.com")
        assert refused is not None
        assert refused != NOT_REMOVED
        assert len(await store.list_members(world.organization)) == 4
        assert await store.list_audit(world.organization, Page()) == ()

    asyncio.run(scenario())


def test_it_owns_nothing(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        world = await world_of(store, now)
        bot, other = world.people["bot"], await create_organization(store, NewOrganization("Other"), now)
        assert isinstance(other, Organization)
        assert await add_member(store, other.id, bot.id, Role.OWNER, now) == NO_OWNER
        for name in ("ann", None):
            change = MemberChange(Role.OWNER)
            assert await change_member(world.office(name), world.organization, bot.id, change) == NO_OWNER
        changed = await change_member(
            world.office("ann"), world.organization, bot.id, MemberChange(Role.BILLING_MANAGER)
        )
        assert isinstance(changed, Member)
        assert (changed.role, changed.is_bot) == (Role.BILLING_MANAGER, True)
        assert await found_organization(world.office("bot"), "Mine") == NO_OWNER
        administrator = Office(store, Actor(bot.id, is_admin=True), now)
        founded = await found_organization(administrator, "Founded")
        assert isinstance(founded, Organization)
        assert await store.list_members(founded.id) == ()
        (entry,) = await store.list_audit(founded.id, Page())
        assert (entry.actor, entry.message) == (bot.id, "Created organization Founded")

    asyncio.run(scenario())


def test_it_accepts_no_invitation(store: SqlAdmin, now: datetime) -> None:
    """Asking its address is answered as for any other: whether there is one of it is not told."""

    async def scenario() -> None:
        world = await world_of(store, now)
        other = await found_organization(world.office("cid"), "Other")
        assert isinstance(other, Organization)
        asked = await invite(world.office("cid"), other.id, "bot@example.com", Role.MEMBER, PEPPER)
        assert not isinstance(asked, Problem)
        assert await accept_invitation(world.office("bot"), asked.token, PEPPER) == NOT_INVITED
        assert len(await store.list_members(other.id)) == 1

    asyncio.run(scenario())


def test_managers_make_keys_for_it_and_for_nobody_else(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        world = await world_of(store, now)
        change = KeyChange(label="ci", limit_microdollars=5, expires_at=now + timedelta(days=1))
        for name in ("ann", "bob"):
            made = await create_key_for(world.desk(name), world.organization, "bot@example.com", change)
            assert isinstance(made, CreatedKey)
            key = made.api_key
            assert (key.user_id, key.organization_id) == (world.people["bot"].id, world.organization)
            assert (key.label, key.limit_microdollars, key.expires_at) == ("ci", 5, now + timedelta(days=1))
        for who in ("cid", "bob"):
            assert (
                await create_key_for(world.desk("ann"), world.organization, f"{who}@example.com", change) == NO_PERSON
            )
        refused = await create_key_for(world.desk("cid"), world.organization, "bot@example.com", change)
        assert isinstance(refused, Problem)
        assert refused.code is Code.FORBIDDEN
        limited = await create_key_for(world.desk("ann", key.id), world.organization, "bot@example.com", change)
        assert isinstance(limited, Problem)
        nobody = await create_key_for(world.desk("ann"), world.organization, "eve@example.com", change)
        assert isinstance(nobody, Problem)
        assert nobody.code is Code.NOT_FOUND
        told = [entry.message for entry in await store.list_audit(world.organization, Page())]
        assert told == ["Created an API key for bot@example.com"] * 2

    asyncio.run(scenario())
