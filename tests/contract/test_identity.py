"""IdentityStore: what the gateway reads about callers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from contract.scenario import START
from tollway.admin.records import (
    CreditTransaction,
    KeyScope,
    Member,
    Organization,
    OrganizationChange,
    User,
    UserChange,
)
from tollway.admin.store import Removal
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.identity.authenticator import Authenticator, AuthenticatorRules
from tollway.identity.caller import Caller, Role
from tollway.identity.keys import hash_key, make_key
from tollway.identity.organization import OrganizationSettings
from tollway.identity.store import Changes, KeyRow, MembershipRow, UserRow
from tollway.money import Microdollars
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.identity_changes import KEPT_MAX, note_change

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


# Whom a change is about


BOB, CAY = replace(ANN, id="bob", email="bob@example.com"), replace(ANN, id="cay", email="cay@example.com")
BETA = replace(ACME, id="22222222-2222-4222-8222-222222222222", name="Beta")
PEPPER = b"p"
SECRETS = {user.id: make_key(user.id[0] * 30) for user in (ANN, BOB, CAY)}
RULES = AuthenticatorRules(PEPPER, None, cache_s=60, callers_max=100)


def key_of(user: User) -> KeyRow:
    secret = SECRETS[user.id]
    return replace(KEY, id=f"key of {user.id}", user_id=user.id, secret_hash=hash_key(secret, PEPPER), expires_at=None)


class Watched:
    """What a process keeps about three users, two of them in both organizations too."""

    def __init__(self, identity: SqlIdentity) -> None:
        self._authenticator = Authenticator(identity, RULES, lambda: 1.0, lambda: int(START.timestamp()))
        self._asked = [(SECRETS[user.id], organization) for user in (ANN, BOB, CAY) for organization in ("", ACME.id)]
        self._asked += [(SECRETS["ann"], BETA.id)]

    async def learn(self) -> None:
        await self._authenticator.refresh()
        for credential, organization in self._asked:
            await self._authenticator.authenticate(credential, organization)

    async def what_is_left(self) -> int:
        """How many callers are kept after a look for changes; what is kept is what the database says."""
        await self._authenticator.refresh()
        kept = {one: self._authenticator.known(*one) for one in self._asked}
        for one, verdict in kept.items():
            assert verdict is None or verdict == await self._authenticator.authenticate(*one), one
        return sum(isinstance(verdict, Caller) for verdict in kept.values())


@pytest.fixture
def watched(admin: SqlAdmin, identity: SqlIdentity) -> Watched:
    return asyncio.run(_watch(admin, identity))


async def _watch(admin: SqlAdmin, identity: SqlIdentity) -> Watched:
    for user in (ANN, BOB, CAY):
        await admin.add_user(user, "pepper")
        await admin.add_key(key_of(user))
    for organization in (ACME, BETA):
        await admin.add_organization(organization)
    for user, organization in ((ANN, ACME), (BOB, ACME), (ANN, BETA)):
        member = Member(organization.id, user.id, user.email, Role.MEMBER, None)
        await admin.add_member(member, f"{user.id} in {organization.id}", START)
    made = Watched(identity)
    await made.learn()
    assert await made.what_is_left() == 6
    return made


def paid(user_id: str, organization_id: str | None = None) -> tuple[BudgetRef, CreditTransaction]:
    kind = BudgetKind.ORGANIZATION if organization_id else BudgetKind.USER
    account = BudgetRef(kind, organization_id or user_id)
    return account, CreditTransaction(f"by {user_id}", user_id, organization_id, 5, False, None, None, None, START)


BOBS = Member(ACME.id, "bob", BOB.email, Role.MEMBER, None)
ENTERPRISE = OrganizationChange("enterprise")
# What is done, and how many of six callers it leaves: ann in three ways, bob in two, and cay.
CHANGES: dict[str, tuple[Callable[[SqlAdmin], Awaitable[object]], int]] = {
    "a new user": (lambda admin: admin.add_user(replace(ANN, id="dan", email="dan@example.com"), "p"), 6),
    "another address": (lambda admin: admin.change_user("bob", UserChange(email="robert@example.com"), START), 4),
    "an administrator": (lambda admin: admin.set_admin("bob", True, START), 4),
    "a block": (lambda admin: admin.set_blocked("bob", "fraud", START), 4),
    "a pepper": (lambda admin: admin.set_pepper("bob", "new", START), 4),
    "a revoked key": (lambda admin: admin.revoke_key("key of bob", START), 4),
    "a limit of a key": (
        lambda admin: admin.change_key("key of bob", KeyScope(), {"limit_microdollars": Microdollars(9)}, None),
        4,
    ),
    "a new key": (lambda admin: admin.add_key(replace(key_of(BOB), id="k2", secret_hash="cd" * 32)), 4),
    "a payment": (lambda admin: admin.add_credit(*paid("bob")), 4),
    "a payment for an organization": (lambda admin: admin.add_credit(*paid("bob", ACME.id)), 4),
    "an organization's plan": (lambda admin: admin.change_organization(ACME.id, ENTERPRISE, START), 4),
    "a new organization": (lambda admin: admin.add_organization(replace(ACME, id=BETA.id.replace("2", "3"))), 6),
    "an organization that is no more": (lambda admin: admin.delete_organization(ACME.id, START, None), 4),
    "a new member": (lambda admin: admin.add_member(replace(BOBS, user_id="cay"), "m4", START), 5),
    "a day's limit": (lambda admin: admin.set_daily_limit(replace(BOBS, daily_limit_microdollars=5), "l1"), 4),
    "a role": (lambda admin: admin.change_role(BOBS, Role.OWNER, START, None), 4),
    "a member who has left": (lambda admin: admin.remove_member(ACME.id, "bob"), 4),
    "an erased user": (lambda admin: admin.erase_user("bob", "fresh", START), 4),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_drops_whom_it_is_about_and_nobody_else(watched: Watched, admin: SqlAdmin, what: str) -> None:
    change, left = CHANGES[what]
    await change(admin)
    assert await watched.what_is_left() == left


async def test_changes_add_up_until_they_are_heard_of(watched: Watched, admin: SqlAdmin, identity: SqlIdentity) -> None:
    since = await identity.revision()
    await admin.set_blocked("bob", "fraud", START)
    await admin.set_blocked("cay", "fraud", START)
    await admin.set_blocked("bob", None, START)
    assert await identity.changes(since) == Changes(since + 3, frozenset({"bob", "cay"}))
    assert await identity.changes(since + 2) == Changes(since + 3, frozenset({"bob"}))
    assert await identity.changes(since + 3) == Changes(since + 3, frozenset())
    assert await identity.changes(None) == Changes(since + 3, None)
    assert await watched.what_is_left() == 3


@pytest.mark.parametrize("step", [1, -1, KEPT_MAX + 1], ids=["an older version", "a backup", "missed"])
async def test_a_revision_that_names_nobody_is_about_everybody(
    watched: Watched, admin: SqlAdmin, database: Database, step: int
) -> None:
    """Raised by a version that does not say whom it is about, gone back, or too far ahead."""
    raised = text("UPDATE deployment SET value = value + :step WHERE key = 'identity_revision'")
    await database.write(lambda connection: connection.execute(raised, {"step": step}))
    await admin.set_blocked("bob", "fraud", START) if step == 1 else None
    assert await watched.what_is_left() == 0


async def test_the_newest_changes_are_kept_only(admin: SqlAdmin, identity: SqlIdentity, database: Database) -> None:
    await admin.add_user(ANN, "pepper")
    since = await identity.revision()

    def change_often(connection: Connection) -> None:
        for _ in range(KEPT_MAX):
            note_change(connection, "bob")

    await database.write(change_often)
    assert await identity.changes(since) == Changes(since + KEPT_MAX, frozenset({"bob"}))
    await database.write(lambda connection: note_change(connection, "bob", "cay"))
    assert await identity.changes(since) == Changes(since + KEPT_MAX + 1, None)
    count = text("SELECT count(DISTINCT revision) FROM identity_changes")
    assert await database.read(lambda connection: connection.execute(count).scalar_one()) == KEPT_MAX
