"""AdminStore: races, repeats and pages."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from contract.commit_fault import CommitFault
from contract.scenario import START
from tollway.admin.records import (
    AccountBalance,
    Credited,
    CreditTransaction,
    Member,
    Organization,
    OrganizationChange,
    Page,
    Uncredited,
    User,
    UserChange,
)
from tollway.admin.store import Removal
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.identity.caller import Role
from tollway.identity.organization import OrganizationSettings
from tollway.identity.store import KeyRow
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.tables import organizations

ACCOUNT = BudgetRef(BudgetKind.USER, "ann")
ACME = Organization("acme", "Acme", "teams", START)


def _user(number: int, email: str | None = None) -> User:
    return User(f"u{number}", email or f"u{number}@example.com", "", None, START + timedelta(seconds=number // 2))


def _credit(id_: str, amount: int = 100, *, is_free: bool = True, organization_id: str | None = None):
    return CreditTransaction(id_, "ann", organization_id, amount, is_free, None, None, None, START)


@pytest.fixture
def admin(database: Database) -> SqlAdmin:
    return SqlAdmin(database)


async def test_pages_cover_everything_once(admin: SqlAdmin) -> None:
    """Two users at a time were made at the same instant, so that the id has to decide."""
    for number in range(7):
        await admin.add_user(_user(number), "pepper")
    everything = await admin.list_users(Page(200))
    assert [user.id for user in everything] == ["u6", "u5", "u4", "u3", "u2", "u1", "u0"]
    paged, before = [], None
    while page := await admin.list_users(Page(2, before)):
        paged += page
        before = page[-1].id
    assert tuple(paged) == everything
    assert await admin.list_users(Page(2, "unknown")) == ()


async def test_another_pepper_is_told_everybody_and_changes_nothing_else(admin: SqlAdmin, database: Database) -> None:
    identity, user = SqlIdentity(database), replace(_user(1), is_bot=True)
    await admin.add_user(user, "old")
    before = await identity.revision()
    assert await admin.set_pepper("u1", "new", START) == user
    row = await identity.user("u1")
    assert row is not None
    assert (row.pepper, await identity.revision()) == ("new", before + 1)
    assert await admin.set_pepper("u9", "new", START) is None


async def test_one_address_is_one_user(admin: SqlAdmin) -> None:
    added = await asyncio.gather(*(admin.add_user(_user(number, "a@example.com"), "pepper") for number in range(8)))
    assert sum(added) == 1
    assert len(await admin.list_users(Page())) == 1


async def test_what_an_organization_decides_is_changed_one_by_one(admin: SqlAdmin, database: Database) -> None:
    """Keys of others in the settings stay; what is emptied is gone, and comes back as nothing set."""
    await admin.add_organization(ACME)
    foreign = {"code_indexing_enabled": True, "minimum_balance": None}
    statement = update(organizations).values(settings=foreign)
    await database.write(lambda connection: connection.execute(statement))
    assert await admin.find_organizations("acme") == (ACME,)
    later = START + timedelta(days=1)

    async def change(**changes: object) -> Organization | None:
        return await admin.change_organization("acme", OrganizationChange(**changes), later)

    listed = OrganizationSettings(model_allow_list=("b/c", "a/*"), data_collection="deny")
    changed = replace(ACME, plan="enterprise", require_seats=True, settings=listed)
    given = {"model_allow_list": ("b/c", "a/*"), "data_collection": "deny"}
    assert await change(plan="enterprise", require_seats=True, settings=given) == changed
    assert await change() == changed
    assert await admin.find_organizations("Acme") == await admin.list_organizations(Page()) == (changed,)
    emptied = await change(require_seats=False, settings={"model_allow_list": (), "data_collection": None})
    assert emptied == replace(ACME, plan="enterprise")
    read = select(organizations.c.settings, organizations.c.updated_at)
    row = await database.read(lambda connection: connection.execute(read).one())
    assert (row.settings, row.updated_at) == (foreign, later)


async def test_changes_of_settings_at_the_same_time_all_last(admin: SqlAdmin) -> None:
    await admin.add_organization(ACME)
    names = ("model_allow_list", "model_deny_list", "provider_allow_list", "provider_deny_list")
    changes = [OrganizationChange(settings={name: (name,)}) for name in names]
    changes.append(OrganizationChange(settings={"data_collection": "allow"}))
    await asyncio.gather(*(admin.change_organization("acme", change, START) for change in changes))
    (found,) = await admin.find_organizations("acme")
    assert found.settings == OrganizationSettings(**{name: (name,) for name in names}, data_collection="allow")


async def test_an_organization_that_is_not_there_is_not_changed(admin: SqlAdmin, database: Database) -> None:
    change = OrganizationChange(plan="enterprise")
    assert await admin.change_organization("acme", change, START) is None
    await admin.add_organization(ACME)
    gone = update(organizations).values(deleted_at=START)
    await database.write(lambda connection: connection.execute(gone))
    assert await admin.change_organization("acme", change, START) is None


async def test_two_owners_cannot_remove_each_other(admin: SqlAdmin) -> None:
    await admin.add_organization(ACME)
    for number in range(2):
        await admin.add_user(_user(number), "pepper")
        await admin.add_member(Member("acme", f"u{number}", "", Role.OWNER, None), f"m{number}", START)
    removed = await asyncio.gather(admin.remove_member("acme", "u0"), admin.remove_member("acme", "u1"))
    assert sorted(removal.value for removal in removed) == [Removal.DONE.value, Removal.LAST_OWNER.value]


async def test_a_removed_member_loses_the_daily_limit(admin: SqlAdmin) -> None:
    await admin.add_organization(ACME)
    for number, role in enumerate((Role.OWNER, Role.MEMBER)):
        await admin.add_user(_user(number), "pepper")
        await admin.add_member(Member("acme", f"u{number}", "", role, None), f"m{number}", START)
    limited = Member("acme", "u1", "u1@example.com", Role.MEMBER, 5)
    await admin.set_daily_limit(limited, "l1")
    assert limited in await admin.list_members("acme")
    await admin.remove_member("acme", "u1")
    await admin.set_daily_limit(limited, "l2")  # no member, no limit
    await admin.add_member(limited, "m9", START)
    assert [member.daily_limit_microdollars for member in await admin.list_members("acme")] == [None, None]


@pytest.mark.parametrize("committed", [True, False], ids=["done", "not done"])
async def test_a_lost_commit_acknowledgement_cannot_double(
    database: Database, admin: SqlAdmin, committed: bool
) -> None:
    key = KeyRow("k1", "ab" * 32, "u1", "acme", "", "wxyz", None, None, None, START)
    member = Member("acme", "u1", "u1@example.com", Role.OWNER, None)
    steps: list[tuple[Callable, object]] = [
        (lambda: admin.add_user(_user(1), "pepper"), True),
        (lambda: admin.add_organization(ACME), True),
        (lambda: admin.add_member(member, "m1", START), True),
        (lambda: admin.add_key(key), True),
        (
            lambda: admin.change_organization("acme", OrganizationChange(plan="enterprise"), START),
            replace(ACME, plan="enterprise"),
        ),
        (
            lambda: admin.add_credit(ACCOUNT, _credit("t1")),
            Credited(_credit("t1"), AccountBalance("user:ann", 100, 0, 0, 100, 100)),
        ),
    ]
    for step, expected in steps:
        with CommitFault(database, 1, committed=committed):
            assert await step() == expected
    assert (await admin.account_balance(ACCOUNT)).credited_microdollars == 100


async def test_concurrent_credits_all_arrive(admin: SqlAdmin) -> None:
    await asyncio.gather(*(admin.add_credit(ACCOUNT, _credit(f"t{number}")) for number in range(20)))
    assert await admin.account_balance(ACCOUNT) == AccountBalance("user:ann", 2000, 0, 0, 2000, 2000)
    assert len(await admin.list_credits(ACCOUNT, Page(200))) == 20


async def test_what_a_user_pays_for_an_organization_is_the_organizations(admin: SqlAdmin) -> None:
    await admin.add_credit(ACCOUNT, _credit("t1"))
    organization = BudgetRef(BudgetKind.ORGANIZATION, "acme")
    await admin.add_credit(organization, _credit("t2", is_free=False, organization_id="acme"))
    assert [credit.id for credit in await admin.list_credits(ACCOUNT, Page())] == ["t1"]
    assert [credit.id for credit in await admin.list_credits(organization, Page())] == ["t2"]
    assert (await admin.account_balance(organization)).balance_microdollars == 100


def _paid(id_: str, payment_id: str, amount: int = 100) -> CreditTransaction:
    return replace(_credit(id_, amount, is_free=False), payment_id=payment_id)


async def test_a_payment_is_booked_once_whoever_tells_of_it(admin: SqlAdmin) -> None:
    done = await asyncio.gather(*(admin.add_credit(ACCOUNT, _paid(f"t{number}", "p")) for number in range(10)))
    assert sorted(one.is_repeat for one in done) == [False, *[True] * 9]
    assert len({one.transaction.id for one in done}) == 1
    assert (await admin.account_balance(ACCOUNT)).credited_microdollars == 100
    assert await admin.add_credit(ACCOUNT, _paid("x", "p", 101)) is Uncredited.OTHER
    assert await admin.add_credit(BudgetRef(BudgetKind.USER, "bob"), replace(_paid("y", "p"), user_id="bob")) is (
        Uncredited.OTHER
    )


async def test_a_promotion_is_given_once(admin: SqlAdmin) -> None:
    promo = replace(_credit("t0"), credit_category="welcome")
    done = await asyncio.gather(
        *(admin.add_credit(ACCOUNT, replace(promo, id=f"t{number}"), once_per_category=True) for number in range(5))
    )
    assert [isinstance(one, Credited) for one in done].count(True) == 1
    assert (await admin.account_balance(ACCOUNT)).credited_microdollars == 100
    assert isinstance(await admin.add_credit(ACCOUNT, replace(promo, id="again")), Credited)


async def test_an_address_that_is_taken_stays_whose_it_is(admin: SqlAdmin) -> None:
    for number in range(2):
        await admin.add_user(_user(number), "pepper")
    assert await admin.change_user("u1", UserChange("u0@example.com", "Other"), START) is None
    changed = await admin.change_user("u1", UserChange("new@example.com", "Other"), START)
    assert changed == replace(_user(1, "new@example.com"), name="Other")
