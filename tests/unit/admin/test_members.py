import asyncio
from datetime import datetime

import pytest

from tollway.admin.members import MemberChange, change_member, remove_member
from tollway.admin.office import Office
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.ownership import Actor
from tollway.admin.records import Member, Organization, Page, User
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.storage.sql.admin.store import SqlAdmin


async def _acme(store: SqlAdmin, now: datetime) -> tuple[str, dict[str, User]]:
    made = await create_organization(store, NewOrganization("Acme"), now)
    assert isinstance(made, Organization)
    people = {}
    for name, role in (("ann", Role.OWNER), ("bob", Role.BILLING_MANAGER), ("cid", Role.MEMBER)):
        user = await create_user(store, NewUser(f"{name}@example.com"), now)
        assert isinstance(user, User)
        people[name] = user
        await add_member(store, made.id, user.id, role, now)
    return made.id, people


@pytest.mark.parametrize(
    ("actor", "member", "code"),
    [
        ("ann", "bob", None),
        ("ann", "ann", Code.FORBIDDEN),
        ("bob", "ann", Code.FORBIDDEN),
        ("bob", "bob", Code.FORBIDDEN),
        ("bob", "cid", None),
        ("cid", "cid", Code.FORBIDDEN),
        ("cid", "bob", Code.FORBIDDEN),
    ],
)
def test_who_removes_whom(store: SqlAdmin, now: datetime, actor: str, member: str, code: Code | None) -> None:
    async def scenario() -> None:
        acme, people = await _acme(store, now)
        office = Office(store, Actor(people[actor].id), now)
        done = await remove_member(office, acme, people[member].email)
        assert (done and done.code) == code
        assert len(await store.list_members(acme)) == (2 if code is None else 3)
        assert len(await store.list_audit(acme, Page())) == (1 if code is None else 0)

    asyncio.run(scenario())


def test_a_change_is_told_once(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        acme, people = await _acme(store, now)
        office = Office(store, Actor(people["ann"].id), now)
        change = MemberChange(Role.BILLING_MANAGER, 5)
        for _ in range(2):
            changed = await change_member(office, acme, people["cid"].id, change)
            assert isinstance(changed, Member)
            assert (changed.role, changed.daily_limit_microdollars) == (Role.BILLING_MANAGER, 5)
        assert {entry.message for entry in await store.list_audit(acme, Page())} == {
            "Changed role for user cid@example.com from member to billing_manager",
            "Changed daily limit for user cid@example.com from unlimited to $0.000005",
        }
        nothing = await change_member(office, acme, people["cid"].id, MemberChange())
        assert isinstance(nothing, Problem)

    asyncio.run(scenario())
