import asyncio
from datetime import datetime

import pytest

from tollway.admin.credits import Owner
from tollway.admin.office import Office
from tollway.admin.organizations import NewOrganization, create_organization
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import Organization, Page
from tollway.admin.top_ups import AMOUNT_MAX, AutoTopUp, TopUpWish, set_top_up, show_top_up
from tollway.admin.users import NewUser, create_user
from tollway.billing.notices import TopUpRules
from tollway.errors import Code, Problem
from tollway.storage.sql.admin.store import SqlAdmin

RULES = TopUpRules()
ANN = Owner("ann@example.com")


@pytest.fixture
def office(store: SqlAdmin, now: datetime) -> Office:
    asyncio.run(create_user(store, NewUser("ann@example.com"), now))
    return Office(store, OPERATOR, now)


def test_an_amount_turns_it_on_and_a_reason_says_why_it_is_off(office: Office) -> None:
    async def scenario() -> None:
        never = await show_top_up(office.store, ANN, RULES)
        assert isinstance(never, AutoTopUp)
        assert (never.is_enabled, never.amount_microdollars, never.below_microdollars) == (False, None, 5_000_000)
        assert await set_top_up(office, ANN, TopUpWish(is_enabled=False), RULES) == never
        on = await set_top_up(office, ANN, TopUpWish(50_000_000), RULES)
        assert isinstance(on, AutoTopUp)
        assert (on.is_enabled, on.amount_microdollars, on.disabled_reason) == (True, 50_000_000, None)
        off = await set_top_up(office, ANN, TopUpWish(is_enabled=False, reason="card declined"), RULES)
        assert isinstance(off, AutoTopUp)
        assert (off.is_enabled, off.amount_microdollars, off.disabled_reason) == (False, 50_000_000, "card declined")
        assert await set_top_up(office, ANN, TopUpWish(is_enabled=True), RULES) == on
        assert await show_top_up(office.store, ANN, RULES) == on

    asyncio.run(scenario())


def test_organizations_have_a_threshold_of_their_own_and_an_audit_log(office: Office) -> None:
    async def scenario() -> None:
        acme = await create_organization(office.store, NewOrganization("Acme"), office.now)
        assert isinstance(acme, Organization)
        owner = Owner(organization="Acme")
        for wish in (TopUpWish(500_000_000), TopUpWish(500_000_000), TopUpWish(is_enabled=False)):
            done = await set_top_up(office, owner, wish, RULES)
            assert isinstance(done, AutoTopUp)
            assert done.below_microdollars == 50_000_000
        entries = await office.store.list_audit(acme.id, Page())
        assert sorted(entry.message for entry in entries) == [
            "Disabled auto top-up: turned off",
            "Enabled auto top-up: 500000000 micro-dollars",
        ]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("owner", "wish", "code"),
    [
        (ANN, TopUpWish(), Code.BAD_REQUEST),
        (ANN, TopUpWish(999_999), Code.BAD_REQUEST),
        (ANN, TopUpWish(AMOUNT_MAX + 1), Code.BAD_REQUEST),
        (ANN, TopUpWish(is_enabled=True), Code.BAD_REQUEST),  # of what amount?
        (ANN, TopUpWish(50_000_000, reason="why"), Code.BAD_REQUEST),
        (ANN, TopUpWish(is_enabled=False, reason=" "), Code.BAD_REQUEST),
        (Owner(), TopUpWish(50_000_000), Code.BAD_REQUEST),
        (Owner("who"), TopUpWish(50_000_000), Code.NOT_FOUND),
        (Owner(organization="Who"), TopUpWish(50_000_000), Code.NOT_FOUND),
    ],
)
def test_what_is_refused_sets_nothing(office: Office, owner: Owner, wish: TopUpWish, code: Code) -> None:
    async def scenario() -> None:
        refused = await set_top_up(office, owner, wish, RULES)
        assert isinstance(refused, Problem)
        assert refused.code is code
        shown = await show_top_up(office.store, ANN, RULES)
        assert isinstance(shown, AutoTopUp)
        assert shown.amount_microdollars is None

    asyncio.run(scenario())


def test_nobody_is_nobodys_account(office: Office) -> None:
    refused = asyncio.run(show_top_up(office.store, Owner("who"), RULES))
    assert isinstance(refused, Problem)
    assert refused.code is Code.NOT_FOUND
