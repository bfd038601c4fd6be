import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from msgspec.structs import replace as replace_fields

from tollway.admin.office import Office
from tollway.admin.organization_changes import ORGANIZATIONS_MAX, change_settings, found_organization, told
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.ownership import Actor
from tollway.admin.records import Organization, OrganizationChange, User
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.organization import OrganizationSettings
from tollway.storage.sql.admin.store import SqlAdmin


def test_nobody_founds_more_than_five(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann = await create_user(store, NewUser("ann@example.com"), now)
        assert isinstance(ann, User)
        office = Office(store, Actor(ann.id), now)
        made = [await found_organization(office, f"Acme {number}") for number in range(ORGANIZATIONS_MAX + 1)]
        assert [isinstance(one, Organization) for one in made] == [True] * ORGANIZATIONS_MAX + [False]
        assert isinstance(made[-1], Problem)
        assert made[-1].code is Code.TOO_MANY_REQUESTS
        assert len(await store.list_memberships(ann.id)) == ORGANIZATIONS_MAX

    asyncio.run(scenario())


def test_a_default_model_is_an_allowed_one(store: SqlAdmin, now: datetime) -> None:
    """One that is set is refused otherwise; one that was set before is cleared by the list that ends it."""

    async def scenario() -> None:
        ann = await create_user(store, NewUser("ann@example.com"), now)
        assert isinstance(ann, User)
        office = Office(store, Actor(ann.id), now)
        acme = await found_organization(office, "Acme")
        assert isinstance(acme, Organization)
        refused = await change_settings(office, acme, OrganizationChange(settings={"default_model": "a/b"}))
        assert isinstance(refused, Problem)
        assert refused.code is Code.FORBIDDEN  # the plan
        await store.change_organization(acme.id, OrganizationChange(plan="enterprise"), now)

        async def change(**settings: object) -> Organization | Problem:
            (found,) = await store.find_organizations(acme.id)
            return await change_settings(office, found, OrganizationChange(settings=settings))  # type: ignore[arg-type]

        assert isinstance(await change(model_allow_list=("a/*",), default_model="c/d"), Problem)
        changed = await change(model_allow_list=("a/*",), default_model="a/b")
        assert isinstance(changed, Organization)
        assert changed.settings.default_model == "a/b"
        changed = await change(model_allow_list=("c/*",))
        assert isinstance(changed, Organization)
        assert changed.settings.default_model is None

    asyncio.run(scenario())


def test_what_changed_is_told_without_addresses(now: datetime) -> None:
    before = Organization("o", "Acme", "teams", now, settings=OrganizationSettings(model_allow_list=("a/b", "c/d")))
    after = replace(
        before,
        settings=OrganizationSettings(model_allow_list=("c/d", "e/f"), data_collection="deny", prompt_prefix_days=3),
        stored={"minimum_balance_microdollars": 5, "minimum_balance_alert_email": ["secret@example.com"]},
    )
    assert list(told(before, after)) == [
        "Added models: e/f",
        "Removed models: a/b",
        "Changed data collection: None → deny",
        "First characters of prompts are kept for 3 days",
        "Changed minimum balance alert: 5 micro-dollars, 1 addresses",
    ]
    assert list(told(before, before)) == []
    kept = replace(after, settings=replace_fields(after.settings, prompt_prefix_days=None, request_log_days=365))
    assert list(told(after, kept)) == [
        "First characters of prompts are no longer kept",
        "Requests and answers are kept for 365 days",
    ]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", ["prompt_prefix_days", "request_log_days"])
@pytest.mark.parametrize("days", [7, None])
def test_text_is_kept_by_an_owner_alone(
    store: SqlAdmin, now: datetime, role: Role, name: str, days: int | None
) -> None:
    """Also to switch it off: a billing manager has no say in it. What else such a change names does not happen."""

    async def scenario() -> None:
        ann = await create_user(store, NewUser("ann@example.com"), now)
        assert isinstance(ann, User)
        acme = await create_organization(store, NewOrganization("Acme"), now)
        assert isinstance(acme, Organization)
        await add_member(store, acme.id, ann.id, role, now)
        change = OrganizationChange(settings={name: days, "data_collection": "deny"})
        changed = await change_settings(Office(store, Actor(ann.id), now), acme, change)
        (stored,) = await store.find_organizations(acme.id)
        if role is Role.OWNER:
            assert isinstance(changed, Organization)
            assert getattr(stored.settings, name) == days
            return
        assert isinstance(changed, Problem)
        assert changed.code is Code.FORBIDDEN
        assert stored.settings == OrganizationSettings()

    asyncio.run(scenario())
