"""Vectors D-01 to D-18 of catalog-and-clients, "Organizations and deletion"; over the wire where it shows there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from flow.accounts import Account, Accounts
from flow.management import Desk, message
from flow.programs import Gateway, Sim, settings_for
from tollway.identity.caller import Role
from tollway.ids import new_id
from tollway.storage.sql.accounting_tables import subscriptions
from tollway.storage.sql.admin.erasure import FATES
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.management_tables import invitations
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.storage.sql.tables import credit_transactions, free_model_usage, metadata, usage, users

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    sim = Sim(tmp_path_factory.mktemp("sim"))
    folder = tmp_path_factory.mktemp("organizations")
    gateway = Gateway(folder, settings_for(folder, sim.url, top='preset = "kilo"'))
    yield Desk(gateway, Accounts(gateway.config))
    assert gateway.stop() == 0
    sim.stop()


@pytest.fixture
def owner(desk: Desk) -> Account:
    return desk.accounts.create()


def change(desk: Desk, by: Account, organization: str, member: Account, **what: object) -> Any:
    return desk.call(by, "PATCH", f"/organizations/{organization}/members/{member.user_id}", what)


def invite(desk: Desk, by: Account, organization: str, email: str, role: str = "member") -> Any:
    return desk.call(by, "POST", f"/organizations/{organization}/invitations", {"email": email, "role": role})


def in_database(desk: Desk, work: Any, *, writes: bool = False) -> Any:
    async def with_database(_: SqlAdmin, database: Database) -> Any:
        return await (database.write(work) if writes else database.read(work))

    return desk.accounts.run(with_database)


def erase(desk: Desk, account: Account) -> Any:
    return desk.call(desk.administrator(), "DELETE", f"/users/{account.user_id}")


# Members


@pytest.mark.parametrize("status", [pytest.param(403, id="catalog:D-01")])
def test_nobody_grants_what_is_not_below_them(desk: Desk, owner: Account, status: int) -> None:
    manager, member, second = (desk.accounts.create() for _ in range(3))
    organization = desk.organization(
        (owner, Role.OWNER), (manager, Role.BILLING_MANAGER), (member, Role.MEMBER), (second, Role.BILLING_MANAGER)
    )
    assert change(desk, manager, organization, member, role="owner").status == status
    assert change(desk, manager, organization, member, role="billing_manager").status == status
    assert change(desk, manager, organization, owner, role="member").status == status
    assert change(desk, manager, organization, second, daily_limit_microdollars=1).status == status
    assert invite(desk, manager, organization, "eve@example.com", "owner").status == status
    path = f"/organizations/{organization}/members/{owner.user_id}"
    assert desk.call(manager, "DELETE", path).status == status
    assert change(desk, owner, organization, member, role="owner").status == 200


@pytest.mark.parametrize("shown", [pytest.param("An organization needs at least one owner", id="catalog:D-02")])
def test_the_last_owner_stays_one(desk: Desk, owner: Account, shown: str) -> None:
    """Who demotes oneself is told something else, so an administrator tries."""
    organization = desk.organization((owner, Role.OWNER))
    refused = change(desk, desk.administrator(), organization, owner, role="member")
    assert (refused.status, message(refused)) == (409, shown)


@pytest.mark.parametrize("shown", [pytest.param("You cannot change your own role", id="catalog:D-03")])
def test_nobody_changes_their_own_role(desk: Desk, owner: Account, shown: str) -> None:
    organization = desk.organization((owner, Role.OWNER), (desk.accounts.create(), Role.OWNER))
    refused = change(desk, owner, organization, owner, role="member")
    assert (refused.status, message(refused)) == (403, shown)


@pytest.mark.parametrize("shown", [pytest.param("Service account users cannot be removed", id="catalog:D-04")])
def test_no_organization_removes_a_service_account(desk: Desk, owner: Account, shown: str) -> None:
    """Not for an administrator either; it goes when it is erased."""
    manager, admin = desk.accounts.create(), desk.administrator()
    organization = desk.organization((owner, Role.OWNER), (manager, Role.BILLING_MANAGER))
    bot = desk.call(admin, "POST", "/users", {"email": f"{new_id()}@example.com", "is_bot": True}).json
    members = f"/organizations/{organization}/members"
    assert desk.call(admin, "POST", members, {"user": bot["id"]}).json["is_bot"] is True
    for by in (owner, manager, admin):
        refused = desk.call(by, "DELETE", f"{members}/{bot['id']}")
        assert (refused.status, message(refused)) == (403, shown)
    assert bot["id"] in [one["user_id"] for one in desk.call(owner, "GET", members).json["data"]]
    assert not [told for told in desk.audit(owner, organization) if told.startswith("Removed")]
    assert desk.call(admin, "DELETE", f"/users/{bot['id']}").status == 200
    assert bot["id"] not in [one["user_id"] for one in desk.call(owner, "GET", members).json["data"]]


@pytest.mark.parametrize("shown", [pytest.param("This email already has a pending invitation", id="catalog:D-05")])
def test_nobody_is_asked_twice_at_once(desk: Desk, owner: Account, shown: str) -> None:
    organization = desk.organization((owner, Role.OWNER))
    assert invite(desk, owner, organization, "eve@example.com").status == 201
    refused = invite(desk, owner, organization, " EVE@example.com")
    assert (refused.status, message(refused)) == (409, shown)
    expire = update(invitations).where(invitations.c.organization_id == organization).values(expires_at=NOW)
    in_database(desk, lambda connection: connection.execute(expire), writes=True)
    assert invite(desk, owner, organization, "eve@example.com").status == 201
    refused = invite(desk, owner, organization, owner.email)
    assert (refused.status, message(refused)) == (409, "This user is already a member of this organization")


@pytest.mark.parametrize(
    ("limit", "status"),
    [
        pytest.param(limit, status, id=f"catalog:D-06-{limit}")
        for limit, status in ((-1, 400), (2_000_010_000, 400), (0, 200), (2_000_000_000, 200), (None, 200))
    ],
)
def test_a_members_limit_is_up_to_2000_usd(desk: Desk, owner: Account, limit: int | None, status: int) -> None:
    member = desk.accounts.create()
    organization = desk.organization((owner, Role.OWNER), (member, Role.MEMBER))
    answer = change(desk, owner, organization, member, daily_limit_microdollars=limit)
    assert answer.status == status
    assert status != 200 or answer.json["daily_limit_microdollars"] == limit


@pytest.mark.parametrize("times", [pytest.param(5, id="catalog:D-07")])
def test_changes_at_once_all_last(desk: Desk, owner: Account, times: int) -> None:
    alert = {"minimum_balance_microdollars": 5, "minimum_balance_alert_email": ["a@example.com"]}
    for _ in range(times):
        organization = desk.organization((owner, Role.OWNER))
        path = f"/organizations/{organization}"
        bodies = ({"settings": {"data_collection": "deny"}}, {"settings": alert})
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda body, at=path: desk.call(owner, "PATCH", at, body).status, bodies))
        settings = desk.call(owner, "GET", path).json["settings"]
        assert done == [200, 200]
        assert settings["data_collection"] == "deny"
        assert {name: settings[name] for name in alert} == alert


# Deletion


@pytest.mark.parametrize("left", [pytest.param(["a1"], id="catalog:D-08")])
def test_what_is_a_users_goes(desk: Desk, owner: Account, left: list[str]) -> None:
    creator = desk.accounts.create()
    organization = desk.organization((owner, Role.OWNER), (creator, Role.OWNER))

    def prepare(connection: Connection) -> None:
        for name, of in (("u1", {"user_id": creator.user_id}), ("a1", {"organization_id": organization})):
            row = {"id": f"{name}-{organization}", "created_at": NOW, "updated_at": NOW, "created_by": creator.user_id}
            more = {"display_name": name, "base_url": "https://a.example", "header_names": (), "model_metadata": {}}
            sealed = {"sealed_key": {"version": 1}, "last_four": "", "provider_id": name}
            connection.execute(insert(custom_upstreams).values(**row, **more, **sealed, **of))
            if name == "u1":
                connection.execute(insert(byok_keys).values(**row, **sealed, **of))

    in_database(desk, prepare, writes=True)
    assert erase(desk, creator).status == 200
    query = select(custom_upstreams.c.provider_id).where(custom_upstreams.c.created_by == creator.user_id)
    assert in_database(desk, lambda connection: connection.execute(query).scalars().all()) == left
    query = select(func.count()).select_from(byok_keys).where(byok_keys.c.user_id == creator.user_id)
    assert in_database(desk, lambda connection: connection.execute(query).scalar_one()) == 0


@pytest.mark.parametrize("name", [pytest.param("Deleted User", id="catalog:D-09")])
def test_the_row_has_a_pseudonym(desk: Desk, name: str) -> None:
    account = desk.accounts.create()
    pepper = select(users.c.pepper).where(users.c.id == account.user_id)
    before = in_database(desk, lambda connection: connection.execute(pepper).scalar())
    erased = erase(desk, account).json
    assert (erased["name"], erased["email"]) == (name, f"deleted+{account.user_id}@deleted.invalid")
    assert erased["blocked_reason"].startswith("soft-deleted at ")
    assert in_database(desk, lambda connection: connection.execute(pepper).scalar()) not in (None, "", before)


@pytest.mark.parametrize(
    ("is_cancelling", "status"),
    [pytest.param(False, 409, id="catalog:D-10"), pytest.param(True, 200, id="catalog:D-10-cancelling")],
)
def test_who_subscribes_stays(desk: Desk, is_cancelling: bool, status: int) -> None:
    account, id_ = desk.accounts.create(), new_id()
    plan = {"tier": "tier_19", "cadence": "monthly", "status": "active", "streak_months": 1}
    row = {"id": id_, "user_id": account.user_id, "external_id": id_, "is_cancelling": is_cancelling, **plan}
    statement = insert(subscriptions).values(**row, created_at=NOW)
    in_database(desk, lambda connection: connection.execute(statement), writes=True)
    assert erase(desk, account).status == status
    assert (desk.call(account, "GET", "/keys").status == 200) is (status == 409)


@pytest.mark.parametrize("erasure", [pytest.param("no user", id="catalog:D-11")])
def test_nobody_is_erased_without_an_error(desk: Desk, erasure: str) -> None:
    """In the store; over the wire somebody who is not there is 404."""

    async def work(store: SqlAdmin, _: Database) -> str:
        return (await store.erase_user(new_id(), "pepper", NOW)).value

    assert desk.accounts.run(work) == erasure


@pytest.mark.parametrize("kept", [pytest.param(True, id="catalog:D-12")])
def test_another_users_rows_stay(desk: Desk, kept: bool) -> None:
    gone, other = desk.accounts.create(), desk.accounts.create()

    def rows(connection: Connection) -> dict[str, list[Any]]:
        found = {}
        for name in FATES:
            table = metadata.tables[name]
            column = table.c.id if name == "users" else table.c.user_id
            found[name] = list(connection.execute(select(table).where(column == other.user_id)).all())
        return found

    before = in_database(desk, rows)
    assert erase(desk, gone).status == 200
    assert (in_database(desk, rows) == before) is kept
    assert desk.call(other, "GET", "/keys").status == 200


@pytest.mark.parametrize("user", [pytest.param(None, id="catalog:D-13")])
def test_the_books_stay(desk: Desk, user: str | None) -> None:
    account = desk.accounts.create()
    row = {"id": new_id(), "address_hash": "00", "model": "m", "user_id": account.user_id, "created_at": NOW}
    in_database(desk, lambda connection: connection.execute(insert(free_model_usage).values(**row)), writes=True)

    def counts(connection: Connection) -> list[int]:
        found = []
        for table in (credit_transactions, usage):
            query = select(func.count()).select_from(table).where(table.c.user_id == account.user_id)
            found.append(connection.execute(query).scalar_one())
        return found

    before = in_database(desk, counts)
    assert erase(desk, account).status == 200
    assert in_database(desk, counts) == before
    unlinked = select(free_model_usage.c.user_id).where(free_model_usage.c.id == row["id"])
    assert in_database(desk, lambda connection: connection.execute(unlinked).scalar_one()) is user


@pytest.mark.parametrize("left", [pytest.param([], id="catalog:D-14")])
def test_nothing_asks_their_address_any_more(desk: Desk, owner: Account, left: list[Any]) -> None:
    account = desk.accounts.create()
    organization = desk.organization((owner, Role.OWNER))
    assert invite(desk, owner, organization, account.email).status == 201
    assert erase(desk, account).status == 200
    assert desk.call(owner, "GET", f"/organizations/{organization}/invitations").json["data"] == left
    assert not [told for told in desk.audit(owner, organization) if account.email in told]


@pytest.mark.parametrize("status", [pytest.param(401, id="catalog:D-15")])
def test_their_keys_end_at_once(desk: Desk, status: int) -> None:
    account = desk.accounts.create()
    assert desk.call(account, "GET", "/keys").status == 200
    assert erase(desk, account).status == 200
    assert desk.call(account, "GET", "/keys").status == status


@pytest.mark.parametrize(
    "both", [pytest.param(True, id="catalog:D-16-both"), pytest.param(False, id="catalog:D-16-none")]
)
def test_everything_has_one_owner(desk: Desk, owner: Account, both: bool) -> None:
    organization = desk.organization((owner, Role.OWNER))
    of = {"user_id": owner.user_id, "organization_id": organization} if both else {}
    row = {"id": new_id(), "provider_id": "p", "sealed_key": {}, "last_four": "", "created_by": "x", **of}
    statement = insert(byok_keys).values(**row, created_at=NOW, updated_at=NOW)
    with pytest.raises(IntegrityError):
        in_database(desk, lambda connection: connection.execute(statement), writes=True)


@pytest.mark.parametrize("left", [pytest.param(0, id="catalog:D-17")])
def test_a_row_that_is_deleted_takes_what_is_its_own_along(desk: Desk, left: int) -> None:
    id_ = new_id()
    person = {"id": id_, "email": f"{id_}@example.com", "name": "", "created_at": NOW, "updated_at": NOW}
    row = {"id": new_id(), "provider_id": "p", "sealed_key": {}, "last_four": "", "created_by": id_, "user_id": id_}

    def work(connection: Connection) -> int:
        connection.execute(insert(users).values(**person))
        connection.execute(insert(byok_keys).values(**row, created_at=NOW, updated_at=NOW))
        connection.execute(delete(users).where(users.c.id == id_))
        query = select(func.count()).select_from(byok_keys).where(byok_keys.c.user_id == id_)
        return int(connection.execute(query).scalar_one())

    assert in_database(desk, work, writes=True) == left


@pytest.mark.parametrize("unclassified", [pytest.param(set(), id="catalog:D-18")])
def test_every_table_that_names_users_is_classified(unclassified: set[str]) -> None:
    naming = {name for name, table in metadata.tables.items() if "user_id" in table.c}
    assert naming - set(FATES) == unclassified


@pytest.mark.parametrize(
    ("default", "kept"),
    [pytest.param(["a/b", "a/b"], None, id="catalog:L-16"), pytest.param(["c/*"], "c/d", id="catalog:L-16-kept")],
)
def test_an_allow_list_clears_a_default_that_it_does_not_allow(
    desk: Desk, owner: Account, default: list[str], kept: str | None
) -> None:
    organization = desk.organization((owner, Role.OWNER), plan="enterprise")
    path = f"/organizations/{organization}"
    assert desk.call(owner, "PATCH", path, {"settings": {"default_model": "c/d"}}).status == 200
    changed = desk.call(owner, "PATCH", path, {"settings": {"model_allow_list": default}})
    assert changed.status == 200
    settings = desk.call(owner, "GET", path).json["settings"]
    assert (settings["model_allow_list"], settings.get("default_model")) == (list(dict.fromkeys(default)), kept)


@pytest.mark.parametrize(
    "text",
    [pytest.param("Model access configuration is not available for this organization.", id="catalog:L-17")],
)
def test_a_teams_organization_has_no_allow_lists(desk: Desk, owner: Account, text: str) -> None:
    organization = desk.organization((owner, Role.OWNER))
    refused = desk.call(owner, "PATCH", f"/organizations/{organization}", {"settings": {"model_allow_list": ["a/b"]}})
    assert (refused.status, message(refused)) == (403, text)
