import asyncio
from datetime import datetime

import pytest

from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.ownership import OPERATOR, Actor, check_access, find_owner
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.owned import Owner, OwnerKind
from tollway.storage.sql.admin.store import SqlAdmin


async def _prepare(store: SqlAdmin, now: datetime) -> dict[str, str]:
    """Ids by name: Acme with one member of each role, and eve, who is none."""
    made = await create_organization(store, NewOrganization("Acme"), now)
    assert not isinstance(made, Problem)
    ids = {"acme": made.id}
    for role in (*Role, None):
        name = role.value if role else "eve"
        user = await create_user(store, NewUser(f"{name}@example.com"), now)
        assert not isinstance(user, Problem)
        ids[name] = user.id
        if role:
            await add_member(store, "Acme", user.id, role, now)
    return ids


def test_an_owner_is_one_of_two(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ids = await _prepare(store, now)
        assert await find_owner(store, "eve@example.com", None) == Owner(OwnerKind.USER, ids["eve"])
        assert await find_owner(store, None, "Acme") == Owner(OwnerKind.ORGANIZATION, ids["acme"])
        for user, organization, code in (
            (None, None, Code.BAD_REQUEST),
            ("eve@example.com", "Acme", Code.BAD_REQUEST),
            ("who", None, Code.NOT_FOUND),
            (None, "Who", Code.NOT_FOUND),
        ):
            found = await find_owner(store, user, organization)
            assert isinstance(found, Problem)
            assert found.code is code

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("who", "may_look", "may_change"),
    [("owner", True, True), ("billing_manager", True, True), ("member", True, False), ("eve", False, False)],
)
def test_who_may_change_an_organizations(
    store: SqlAdmin, now: datetime, who: str, may_look: bool, may_change: bool
) -> None:
    async def scenario() -> None:
        ids = await _prepare(store, now)
        acme, actor = Owner(OwnerKind.ORGANIZATION, ids["acme"]), Actor(ids[who])
        for to_change, may in ((False, may_look), (True, may_change)):
            refused = await check_access(store, actor, acme, to_change=to_change)
            assert (refused is None) == may
            assert refused is None or refused.code is Code.FORBIDDEN
            assert await check_access(store, OPERATOR, acme, to_change=to_change) is None

    asyncio.run(scenario())


def test_what_is_a_users_is_theirs_alone(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ids = await _prepare(store, now)
        eves = Owner(OwnerKind.USER, ids["eve"])
        assert await check_access(store, Actor(ids["eve"]), eves, to_change=True) is None
        assert await check_access(store, OPERATOR, eves, to_change=True) is None
        assert await check_access(store, Actor(ids["owner"]), eves, to_change=False) is not None

    asyncio.run(scenario())


def test_an_organization_with_the_id_of_a_user_is_not_that_users(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ids = await _prepare(store, now)
        namesake = Owner(OwnerKind.ORGANIZATION, ids["eve"])
        assert await check_access(store, Actor(ids["eve"]), namesake, to_change=True) is not None

    asyncio.run(scenario())


def test_the_audit_log_knows_actors_by_id() -> None:
    assert (OPERATOR.name, Actor("user-1").name) == ("operator", "user-1")
