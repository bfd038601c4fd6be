import asyncio
from dataclasses import replace
from datetime import datetime

from tollway.admin.members import remove_member, set_daily_limit
from tollway.admin.office import Office
from tollway.admin.organizations import (
    NewOrganization,
    add_member,
    change_organization,
    create_organization,
    find_organization,
    list_organizations,
    show_organization,
)
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import Member, Organization, OrganizationChange, Page
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.organization import OrganizationSettings
from tollway.ids import is_uuid
from tollway.storage.sql.admin.store import SqlAdmin


def test_an_organization_has_a_uuid_and_is_found_by_id_or_name(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        acme = await create_organization(store, NewOrganization(" Acme ", "enterprise"), now)
        assert isinstance(acme, Organization)
        assert is_uuid(acme.id)
        assert (acme.name, acme.plan) == ("Acme", "enterprise")
        assert await find_organization(store, acme.id) == await find_organization(store, "Acme") == acme
        assert await list_organizations(store, Page()) == (acme,)
        assert _code(await list_organizations(store, Page(999))) is Code.BAD_REQUEST
        assert _code(await find_organization(store, "Nobody")) is Code.NOT_FOUND
        assert _code(await show_organization(store, "Nobody")) is Code.NOT_FOUND

    asyncio.run(scenario())


def test_a_name_that_two_have_asks_for_the_id(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        first = await create_organization(store, NewOrganization("Acme"), now)
        await create_organization(store, NewOrganization("Acme"), now)
        assert isinstance(first, Organization)
        assert _code(await find_organization(store, "Acme")) is Code.CONFLICT
        assert await find_organization(store, first.id) == first

    asyncio.run(scenario())


def test_wrong_fields_are_refused(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        for order in (NewOrganization(" "), NewOrganization("n" * 101), NewOrganization("Acme", "gold")):
            assert _code(await create_organization(store, order, now)) is Code.BAD_REQUEST

    asyncio.run(scenario())


def test_members_come_and_go(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await create_organization(store, NewOrganization("Acme"), now)
        for name in ("ann", "bob", "eve"):
            await create_user(store, NewUser(f"{name}@example.com"), now)
        for name, role in (("ann", Role.OWNER), ("bob", Role.MEMBER)):
            member = await add_member(store, "Acme", f"{name}@example.com", role, now)
            assert isinstance(member, Member)
        details = await show_organization(store, "Acme")
        assert not isinstance(details, Problem)
        assert [(member.email, member.role) for member in details.members] == [
            ("ann@example.com", Role.OWNER),
            ("bob@example.com", Role.MEMBER),
        ]
        assert _code(await add_member(store, "Acme", "bob@example.com", Role.OWNER, now)) is Code.CONFLICT
        assert _code(await add_member(store, "Acme", "who", Role.OWNER, now)) is Code.NOT_FOUND
        assert _code(await add_member(store, "Who", "eve@example.com", Role.OWNER, now)) is Code.NOT_FOUND

        assert await remove_member(Office(store, OPERATOR, now), "Acme", "bob@example.com") is None
        assert _code(await remove_member(Office(store, OPERATOR, now), "Acme", "bob@example.com")) is Code.NOT_FOUND
        assert _code(await remove_member(Office(store, OPERATOR, now), "Who", "bob@example.com")) is Code.NOT_FOUND
        last = await remove_member(Office(store, OPERATOR, now), "Acme", "ann@example.com")
        assert isinstance(last, Problem)
        assert (last.code, last.shown) == (Code.CONFLICT, "An organization needs at least one owner")

    asyncio.run(scenario())


def test_a_daily_limit_is_set_and_lifted(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await create_organization(store, NewOrganization("Acme"), now)
        await create_user(store, NewUser("ann@example.com"), now)
        await create_user(store, NewUser("eve@example.com"), now)
        await add_member(store, "Acme", "ann@example.com", Role.MEMBER, now)
        for limit in (0, 2_000_000_000, None):
            changed = await set_daily_limit(Office(store, OPERATOR, now), "Acme", "ann@example.com", limit)
            assert isinstance(changed, Member)
            assert changed.daily_limit_microdollars == limit
        for limit in (-1, 2_000_000_001):
            assert (
                _code(await set_daily_limit(Office(store, OPERATOR, now), "Acme", "ann@example.com", limit))
                is Code.BAD_REQUEST
            )
        assert (
            _code(await set_daily_limit(Office(store, OPERATOR, now), "Acme", "eve@example.com", 1)) is Code.NOT_FOUND
        )
        assert _code(await set_daily_limit(Office(store, OPERATOR, now), "Acme", "who", 1)) is Code.NOT_FOUND

    asyncio.run(scenario())


def test_what_is_not_named_stays(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await create_organization(store, NewOrganization("Acme"), now)
        lists = {"model_allow_list": (" a/b", "a/b")}
        first = await change_organization(store, "Acme", OrganizationChange("enterprise", settings=lists), now)
        assert isinstance(first, Organization)
        assert (first.plan, first.settings) == ("enterprise", OrganizationSettings(model_allow_list=("a/b",)))
        second = await change_organization(store, first.id, OrganizationChange(require_seats=True), now)
        assert second == replace(first, require_seats=True)
        for change in (
            OrganizationChange(),
            OrganizationChange(plan="gold"),
            OrganizationChange(settings={"data_collection": "maybe"}),
        ):
            assert _code(await change_organization(store, "Acme", change, now)) is Code.BAD_REQUEST
        assert _code(await change_organization(store, "Who", OrganizationChange("teams"), now)) is Code.NOT_FOUND
        assert await find_organization(store, "Acme") == second

    asyncio.run(scenario())


def _code(result: object) -> Code | None:
    return result.code if isinstance(result, Problem) else None
