"""Soft delete of a user: vectors CU21 of request-path and D-08 to D-18 of catalog-and-clients (guarantees P3)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Table, func, select

from contract.commit_fault import CommitFault
from contract.observed import measured, metric
from contract.scenario import START, a_hold, outcome, record
from contract.test_owned import ACME_ID, add, add_owners, endpoint, key
from tollway.admin.records import CreditTransaction, Member, User, UserChange
from tollway.admin.store import Erasure
from tollway.admin.usage import first_id
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.particulars import Origin, Particulars, encode_origin
from tollway.identity.authenticator import Authenticator, AuthenticatorRules
from tollway.identity.caller import Refusal, Role
from tollway.identity.keys import hash_key, make_key
from tollway.identity.store import KeyRow
from tollway.storage.sql.accounting_tables import usage_origins, usage_prompts
from tollway.storage.sql.admin.erased_usage import forget_late
from tollway.storage.sql.admin.erasure import ANONYMISED, FATES, Fate
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.api_metrics import row_of
from tollway.storage.sql.audit_tables import audit_log
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.management_tables import device_logins, invitations, stored_answers
from tollway.storage.sql.observation_tables import analytics_events, api_metrics
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.storage.sql.tables import (
    api_keys,
    credit_transactions,
    free_model_usage,
    member_limits,
    memberships,
    metadata,
    usage_metadata,
    users,
)
from tollway.storage.sql.transcript_tables import request_log

LATER = START + timedelta(days=1)
KEY = make_key("0" * 30)
BOBS = make_key("1" * 30)
DELETED = "soft-deleted at 2026-03-02T12:00:00Z"


async def prepare(database: Database) -> SqlAdmin:
    """Ann and Bob, both owners of Acme, with something of everything."""
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_user(User("bob", "bob@example.com", "Bob", None, START), "pepper")
    for number, (name, secret) in enumerate((("ann", KEY), ("bob", BOBS))):
        member = Member(ACME_ID, name, f"{name}@example.com", Role.OWNER, 5)
        await admin.add_member(member, f"m{number}", START)
        await admin.set_daily_limit(member, f"l{number}")
        row = KeyRow(f"k{number}", hash_key(secret, b"p"), name, None, f"{name}'s", "wxyz", None, None, None, START)
        await admin.add_key(row)
        credit = CreditTransaction(f"t{number}", name, None, 100, True, None, None, None, START)
        await admin.add_credit(BudgetRef(BudgetKind.USER, name), credit)
        await add(database, free_model_usage, _free_use(name))
        await add(database, request_log, _kept(name))
        await add(database, byok_keys, key(f"own-{name}", user_id=name))
        await add(database, api_metrics, row_of(measured(metric(user_id=name)), "house"))
        await add(database, analytics_events, _event(name))
        await add(database, custom_upstreams, endpoint(f"u1-{name}", user_id=name))
        await add(database, custom_upstreams, endpoint(f"u2-{name}", user_id=name, provider_id="two"))
        await add(database, invitations, _invitation(name))
        await add(database, device_logins, _login(name))
        await add(database, stored_answers, _answer(name))
    await add(database, byok_keys, key("acmes", user_id=None, organization_id=ACME_ID))
    await add(database, custom_upstreams, endpoint("a1", user_id=None, organization_id=ACME_ID))
    return admin


def _invitation(name: str) -> dict[str, Any]:
    about = {"organization_id": ACME_ID, "user_id": name, "email": "eve@example.com", "role": "member"}
    return {**about, "id": name, "token_hash": name, "created_at": START, "expires_at": LATER}


def _login(name: str) -> dict[str, Any]:
    return {"code_hash": name, "status": "approved", "user_id": name, "address_hash": "00", "expires_at": LATER}


def _answer(name: str) -> dict[str, Any]:
    about = {"scope": name, "key_hash": "00", "user_id": name, "claim": "c", "body_hash": "00"}
    return {**about, "created_at": START}


async def test_nothing_asks_them_or_names_their_address_any_more(database: Database) -> None:
    """D-14; addresses go out of what the audit log tells, whole ones only."""
    admin = await prepare(database)
    await add(database, invitations, {**_invitation("bob"), "id": "x", "token_hash": "x", "email": "ann@example.com"})
    for number, message in enumerate(("Removed user ann@example.com", "Removed user xann@example.com")):
        row = {"id": f"a{number}", "organization_id": ACME_ID, "actor": "bob", "action": "organization.member.remove"}
        await add(database, audit_log, {**row, "message": message, "created_at": START})
    await admin.erase_user("ann", "fresh", LATER)
    assert [row.id for row in await rows(database, invitations)] == ["bob"]
    told = [row.message for row in await rows(database, audit_log)]
    assert told == ["Removed user deleted+ann@deleted.invalid", "Removed user xann@example.com"]


def _event(name: str) -> dict[str, Any]:
    told = {"request_id": f"r-{name}", "model": "m", "cost_microdollars": 0, "tries": 0}
    return {"user_id": name, "event": "first_usage", **told, "due_at": START, "created_at": START}


def _free_use(name: str) -> dict[str, Any]:
    return {"id": f"r-{name}", "address_hash": "00", "model": "m", "user_id": name, "created_at": START}


def _kept(name: str) -> dict[str, Any]:
    about = {"organization_id": ACME_ID, "provider_id": "p", "model": "m", "status_code": 200}
    said = {"request": {"messages": [name]}, "response": f"hello {name}"}
    return {"id": f"kept-{name}", "created_at": START, "user_id": name, **about, **said}


async def rows(database: Database, table: Table) -> list[Any]:
    return await database.read(lambda connection: list(connection.execute(select(table).order_by(table.c.id)).all()))


async def test_what_is_a_users_goes_and_what_is_an_organizations_stays(database: Database) -> None:
    """request:CU21, D-08, D-13."""
    admin = await prepare(database)
    assert await admin.erase_user("ann", "fresh", LATER) is Erasure.DONE
    assert [row.id for row in await rows(database, byok_keys)] == ["acmes", "own-bob"]
    left = await rows(database, custom_upstreams)
    assert [row.id for row in left] == ["a1", "u1-bob", "u2-bob"]
    assert left[0].created_by == "ann"
    assert [(row.id, row.user_id) for row in await rows(database, free_model_usage)] == [
        ("r-ann", None),
        ("r-bob", "bob"),
    ]
    assert [row.user_id for row in await rows(database, memberships)] == ["bob"]
    assert [row.user_id for row in await rows(database, member_limits)] == ["bob"]
    assert len(await rows(database, credit_transactions)) == 2
    assert (await admin.account_balance(BudgetRef(BudgetKind.USER, "ann"))).credited_microdollars == 100


async def test_what_a_request_asked_is_not_kept_when_it_ends_after_that(database: Database) -> None:
    admin = await prepare(database)
    books = SqlBooks(database)
    await books.enlist("w1", "here")
    await admin.erase_user("ann", "fresh", LATER)
    said = [
        record(user_id=name, organization_id=None, key_id=None, particulars=Particulars(user_prompt_prefix="secret"))
        for name in ("ann", "bob")
    ]
    ended = [outcome(a_hold(f"r-{one.user_id}", 0), 0, record=one) for one in said]
    await books.settle("w1", ended)
    found = await database.read(lambda connection: connection.execute(select(usage_prompts.c.id)).scalars().all())
    assert found == ["r-bob"]


async def test_where_a_request_came_from_goes_when_it_ends_after_that(database: Database) -> None:
    """Nobody else's does, and once it is gone there is nothing to do."""
    admin = await prepare(database)
    books = SqlBooks(database)
    await books.enlist("w1", "here")
    await admin.erase_user("ann", "fresh", LATER)
    ended = []
    for number, name in enumerate(("ann", "bob")):
        what = Particulars(origin=encode_origin(Origin(user_agent=name)), session_id="s")
        said = record(user_id=name, organization_id=None, key_id=None, particulars=what)
        ended.append(outcome(a_hold(f"{first_id(LATER)[:12]}{number:020x}", 0), 0, record=said))
    await books.settle("w1", ended)
    assert await forget_late(database, LATER) == 1
    columns = (usage_metadata.c.origin_id.is_(None), usage_metadata.c.session_id)
    statement = select(*columns).order_by(usage_metadata.c.id)
    found = await database.read(lambda connection: [(*row,) for row in connection.execute(statement)])
    assert [(bool(is_gone), session) for is_gone, session in found] == [(True, None), (False, "s")]
    assert len(await rows(database, usage_origins)) == 1
    assert await forget_late(database, LATER) == 0


async def test_who_was_deleted_in_this_moment_gets_nothing_back(database: Database) -> None:
    """By a change that found them living a moment ago."""
    admin = await prepare(database)
    await admin.erase_user("ann", "fresh", LATER)
    before = await rows(database, users)
    await admin.change_user("ann", UserChange("ann@example.com", "Ann"), LATER)
    await admin.set_blocked("ann", None, LATER)
    await admin.set_admin("ann", True, LATER)
    await admin.set_pepper("ann", "old", LATER)
    assert await rows(database, users) == before


async def test_the_row_stays_under_a_pseudonym(database: Database) -> None:
    """D-09; another user's row is as it was (D-12)."""
    admin = await prepare(database)
    before = await rows(database, users)
    await admin.erase_user("ann", "fresh", LATER)
    ann, bob = await rows(database, users)
    assert (ann.email, ann.name, ann.pepper) == ("deleted+ann@deleted.invalid", "Deleted User", "fresh")
    assert ann.blocked_reason == DELETED
    assert bob == before[1]


async def test_keys_end_in_the_same_transaction(database: Database) -> None:
    """D-15: a key that was known a moment ago is refused once the revision is heard of."""
    admin = await prepare(database)
    rules = AuthenticatorRules(b"p", None, cache_s=60, callers_max=10)
    authenticator = Authenticator(SqlIdentity(database), rules, lambda: 0.0, lambda: int(START.timestamp()))
    await authenticator.refresh()
    assert not isinstance(await authenticator.authenticate(KEY, ""), Refusal)
    await admin.erase_user("ann", "fresh", LATER)
    await authenticator.refresh()
    assert isinstance(await authenticator.authenticate(KEY, ""), Refusal)
    assert not isinstance(await authenticator.authenticate(BOBS, ""), Refusal)
    ended, bobs = await rows(database, api_keys)
    assert (ended.label, ended.revoked_at, ended.last_used_at) == ("", LATER, None)
    assert (bobs.label, bobs.revoked_at) == ("bob's", None)


async def test_a_key_that_was_revoked_keeps_its_time(database: Database) -> None:
    admin = await prepare(database)
    await admin.revoke_key("k0", START)
    await admin.erase_user("ann", "fresh", LATER)
    assert (await rows(database, api_keys))[0].revoked_at == START


@pytest.mark.parametrize("committed", [True, False])
async def test_once_more_changes_nothing(database: Database, committed: bool) -> None:
    """Not even when the acknowledgement was lost; and nobody is deleted who is not there (D-11)."""
    admin = await prepare(database)
    with CommitFault(database, 1, committed=committed):
        assert await admin.erase_user("ann", "fresh", LATER) is Erasure.DONE
    before = await rows(database, users)
    assert await admin.erase_user("ann", "another", LATER + timedelta(days=1)) is Erasure.DONE
    assert await admin.erase_user("eve", "another", LATER) is Erasure.NO_USER
    assert await rows(database, users) == before


async def test_the_last_owner_stays(database: Database) -> None:
    """Until somebody else owns the organization: nothing of theirs changes."""
    admin = await prepare(database)
    assert await admin.erase_user("ann", "fresh", LATER) is Erasure.DONE
    assert await admin.erase_user("bob", "fresh", LATER) is Erasure.LAST_OWNER
    assert len(await rows(database, byok_keys)) == 2
    assert (await rows(database, users))[1].blocked_reason is None


def test_every_table_that_names_users_has_an_answer() -> None:
    """D-18."""
    naming = {name for name, table in metadata.tables.items() if "user_id" in table.c or name == "users"}
    assert naming == set(FATES)


def test_every_column_of_a_user_has_an_answer() -> None:
    """D-18 for the row that stays: what is not named here is overwritten."""
    kept = {"id", "created_at", "is_bot"}
    assert set(users.c.keys()) == set(ANONYMISED) | kept


async def test_a_service_account_is_erased_like_a_person_and_stays_one(database: Database) -> None:
    admin = await prepare(database)
    await admin.add_user(User("ci", "ci@example.com", "CI", None, START, is_bot=True), "pepper")
    await admin.add_member(Member(ACME_ID, "ci", "ci@example.com", Role.MEMBER, None), "m9", START)
    assert [one.is_bot for one in await admin.list_members(ACME_ID)] == [False, False, True]
    assert await admin.erase_user("ci", "fresh", LATER) is Erasure.DONE
    erased = await admin.find_user("ci")
    assert erased is not None
    assert (erased.name, erased.is_bot) == ("Deleted User", True)
    assert [one.user_id for one in await admin.list_members(ACME_ID)] == ["ann", "bob"]


@pytest.mark.parametrize("table", [name for name, fate in FATES.items() if fate in (Fate.DELETE, Fate.UNLINK)])
async def test_no_row_of_theirs_is_left_where_none_may_be(database: Database, table: str) -> None:
    admin = await prepare(database)
    theirs = metadata.tables[table]

    def count(connection: Connection, name: str) -> int:
        query = select(func.count()).select_from(theirs).where(theirs.c.user_id == name)
        return int(connection.execute(query).scalar_one())

    assert await database.read(lambda connection: count(connection, "ann")) > 0
    bobs = await database.read(lambda connection: count(connection, "bob"))
    await admin.erase_user("ann", "fresh", LATER)
    assert await database.read(lambda connection: count(connection, "ann")) == 0
    assert await database.read(lambda connection: count(connection, "bob")) == bobs > 0
