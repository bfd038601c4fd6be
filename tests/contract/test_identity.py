"""IdentityStore: what the gateway reads about callers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from contract.scenario import START
from tollway.admin.records import CreditTransaction, KeyScope, Member, Organization, OrganizationChange, User
from tollway.admin.store import Removal
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.identity.caller import Role
from tollway.identity.organization import OrganizationSettings
from tollway.identity.store import KeyRow, MembershipRow, UserRow
from tollway.money import Microdollars
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity

ANN = User("ann", "ann@example.com", "Ann", None, START)
ACME = Organization("11111111-1111-4111-8111-111111111111", "Acme", "teams", START)
MEMBER = Member(ACME.id, "ann", "ann@example.com", Role.MEMBER, None)
KEY = KeyRow("k1", "ab" * 32, "ann", None, "laptop", "wxyz", Microdollars(5), START + timedelta(days=30), None, START)


@pytest.fixture
def admin(database: Database) -> SqlAdmin:
    return SqlAdmin(database)


@pytest.fixture
def identity(database: Database) -> SqlIdentity:
    return SqlIdentity(database)


async def test_a_user_is_found_with_pepper_and_block(admin: SqlAdmin, identity: SqlIdentity) -> None:
    assert await identity.user("ann") is None
    await admin.add_user(ANN, "pepper")
    assert await identity.user("ann") == UserRow("ann", "ann@example.com", "pepper", None)
    await admin.set_blocked("ann", "fraud", START)
    assert await identity.user("ann") == UserRow("ann", "ann@example.com", "pepper", "fraud")


async def test_a_key_is_found_by_its_hash_with_its_user(admin: SqlAdmin, identity: SqlIdentity) -> None:
    await admin.add_user(ANN, "pepper")
    assert await admin.add_key(KEY)
    assert await identity.key_by_hash(KEY.secret_hash) == (KEY, UserRow("ann", "ann@example.com", "pepper", None))
    assert await identity.key_by_hash("cd" * 32) is None


async def test_a_key_is_found_with_the_models_it_is_for(admin: SqlAdmin, identity: SqlIdentity) -> None:
    """And a change of them is told to every worker."""
    await admin.add_user(ANN, "pepper")
    await admin.add_key(replace(KEY, model_allow_list=("a/b", "vendor/*")))
    before = await identity.revision()
    for listed in ((), ("other/*",)):
        changed = await admin.change_key("k1", KeyScope(), {"model_allow_list": listed}, None)
        assert changed is not None
        assert changed.model_allow_list == listed
        found = await identity.key_by_hash(KEY.secret_hash)
        assert found is not None
        assert found[0].model_allow_list == listed
        assert await identity.revision() > before


async def test_a_revoked_key_is_found_and_says_so(admin: SqlAdmin, identity: SqlIdentity) -> None:
    await admin.add_user(ANN, "pepper")
    await admin.add_key(KEY)
    await admin.revoke_key("k1", START)
    await admin.revoke_key("k1", START + timedelta(hours=1))
    found = await identity.key_by_hash(KEY.secret_hash)
    assert found is not None
    assert found[0].revoked_at == START


async def test_a_membership_has_role_and_daily_limit(admin: SqlAdmin, identity: SqlIdentity) -> None:
    await admin.add_user(ANN, "pepper")
    await admin.add_organization(ACME)
    assert await identity.membership(ACME.id, "ann") is None
    await admin.add_member(MEMBER, "m1", START)
    assert await identity.membership(ACME.id, "ann") == MembershipRow(ACME.id, "ann", Role.MEMBER, None)
    for limit in (0, 500, None):
        await admin.set_daily_limit(Member(ACME.id, "ann", "", Role.MEMBER, limit), f"l{limit}")
        assert await identity.membership(ACME.id, "ann") == MembershipRow(ACME.id, "ann", Role.MEMBER, limit)


@pytest.mark.parametrize("organization_id", [None, ACME.id], ids=["for themselves", "for an organization"])
async def test_only_a_payment_counts_as_paid(
    admin: SqlAdmin, identity: SqlIdentity, organization_id: str | None
) -> None:
    """A grant does not, nor what others paid."""
    await admin.add_user(ANN, "pepper")
    await admin.add_key(KEY)
    kind = BudgetKind.ORGANIZATION if organization_id else BudgetKind.USER

    async def credit(id_: str, user_id: str, *, is_free: bool) -> None:
        account = BudgetRef(kind, organization_id or user_id)
        paid = CreditTransaction(id_, user_id, organization_id, 5, is_free, None, None, None, START)
        await admin.add_credit(account, paid)

    await credit("t1", "ann", is_free=True)
    await credit("t2", "bob", is_free=False)
    assert await identity.user("ann") == UserRow("ann", "ann@example.com", "pepper", None)
    await credit("t3", "ann", is_free=False)
    paid = UserRow("ann", "ann@example.com", "pepper", None, has_paid=True)
    assert await identity.user("ann") == paid
    assert await identity.key_by_hash(KEY.secret_hash) == (KEY, paid)


async def test_a_membership_tells_what_the_organization_decides(
    admin: SqlAdmin, identity: SqlIdentity, database: Database
) -> None:
    await admin.add_user(ANN, "pepper")
    await admin.add_organization(ACME)
    await admin.add_member(MEMBER, "m1", START)
    settings = {"provider_allow_list": ("b", "a"), "data_collection": "deny"}
    await admin.change_organization(ACME.id, OrganizationChange("enterprise", True, settings), START)
    read = OrganizationSettings(provider_allow_list=("b", "a"), data_collection="deny")
    found = await identity.membership(ACME.id, "ann")
    assert found == MembershipRow(ACME.id, "ann", Role.MEMBER, None, "enterprise", read, require_seats=True)
    statement = text("""UPDATE organizations SET settings = '{"model_allow_list": "a/b"}'""")
    await database.write(lambda connection: connection.execute(statement))
    with pytest.raises(ValueError, match="model_allow_list"):  # unreadable is not unrestricted
        await identity.membership(ACME.id, "ann")


async def test_a_deleted_organization_has_no_members(
    admin: SqlAdmin, identity: SqlIdentity, database: Database
) -> None:
    await admin.add_user(ANN, "pepper")
    await admin.add_organization(ACME)
    await admin.add_member(MEMBER, "m1", START)
    statement = text("UPDATE organizations SET deleted_at = created_at")
    await database.write(lambda connection: connection.execute(statement))
    assert await identity.membership(ACME.id, "ann") is None
    assert await admin.find_organizations("Acme") == ()
    assert not await admin.add_key(KeyRow("k2", "cd" * 32, "ann", ACME.id, "", "wxyz", None, None, None, START))


async def test_every_change_moves_the_revision(admin: SqlAdmin, identity: SqlIdentity) -> None:
    changes = [
        lambda: admin.add_user(ANN, "pepper"),
        lambda: admin.set_blocked("ann", "why", START),
        lambda: admin.set_blocked("ann", None, START),
        lambda: admin.add_organization(ACME),
        lambda: admin.add_member(MEMBER, "m1", START),
        lambda: admin.set_daily_limit(MEMBER, "l1"),
        lambda: admin.change_organization(ACME.id, OrganizationChange("enterprise"), START),
        lambda: admin.change_organization(ACME.id, OrganizationChange(settings={"data_collection": "deny"}), START),
        lambda: admin.add_key(KEY),
        lambda: admin.revoke_key("k1", START),
    ]
    revision = await identity.revision()
    for change in changes:
        await change()
        assert await identity.revision() == (revision := revision + 1)
    await admin.add_member(Member(ACME.id, "ann", "", Role.OWNER, None), "m2", START)  # a member already: no change
    assert await admin.remove_member(ACME.id, "bob") is Removal.NO_MEMBER
    assert await identity.revision() == revision
