"""Vectors B-01 to B-17 of catalog-and-clients, "BYOK"; over the wire, but for those of the stored form."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from flow.accounts import Account, Accounts
from flow.management import Desk, message, without_id
from flow.programs import Gateway, Sim, settings_for
from tollway.admin.own_keys import Desk as KeyDesk
from tollway.admin.own_keys import add_own_key
from tollway.admin.ownership import Actor
from tollway.errors import Problem
from tollway.identity.caller import Role
from tollway.identity.master_keys import sealing_keys
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.sealing import Place, SealError, SealingKeys, seal, unseal
from tollway.ids import new_id, random_bytes
from tollway.settings import SettingsError, load
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.own_tables import byok_keys

SECRET = "sk-test-123"
KEYS = SealingKeys({"one": bytes(32)}, "one", bytes(range(32)))
PLACE = Place("byok_keys", "sealed_key", "row", "user", "u", "anthropic")
FIRST = {"iv": "AAECAwQFBgcICQoL", "data": "NGn7b6CWtja8c6Q=", "authTag": "qIK3T6XMPJ9ZYxJVyvDUXg=="}
SECOND = {"iv": "AAECAwQFBgcICQoL", "data": "PCCONpGAo3ave7Xp3ZwdT/4=", "authTag": "vsSBOMOBMYOK9/48YeSbAg=="}
BEDROCK = '{"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "secret", "region": "us-east-1"}'


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("byok")
    gateway = Gateway(folder, settings_for(folder, sim.url, top='preset = "kilo"\nlog_level = "debug"'))
    yield Desk(gateway, Accounts(gateway.config))
    assert gateway.stop() == 0


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    program = Sim(tmp_path_factory.mktemp("sim"))
    yield program
    program.stop()


def add(desk: Desk, account: Account, organization: str = "", provider: str = "anthropic", key: str = SECRET) -> Any:
    body = {"provider_id": provider, "api_key": key}
    return desk.call(account, "POST", _path(organization), body)


def _path(organization: str, key_id: str = "") -> str:
    return f"/byok-keys{'/' if key_id else ''}{key_id}" + (f"?organizationId={organization}" if organization else "")


def count(desk: Desk, organization: str) -> int:
    async def work(_: SqlAdmin, database: Database) -> int:
        query = select(func.count()).select_from(byok_keys).where(byok_keys.c.organization_id == organization)

        def read(connection: Connection) -> int:
            return int(connection.execute(query).scalar_one())

        return await database.read(read)

    return desk.accounts.run(work)


# What is stored


@pytest.mark.parametrize(
    ("stored", "text"),
    [pytest.param(FIRST, SECRET, id="catalog:B-01"), pytest.param(SECOND, '{"X-Team":"blue"}', id="catalog:B-02")],
)
def test_the_plain_form_is_read(stored: dict[str, str], text: str) -> None:
    assert unseal(stored, PLACE, KEYS) == text


@pytest.mark.parametrize("name", [pytest.param(one, id=f"catalog:B-03-{one}") for one in ("data", "authTag")])
def test_no_byte_of_it_may_be_another(name: str) -> None:
    whole = b64decode(FIRST[name])
    for place in range(len(whole)):
        flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(SealError):
            unseal({**FIRST, name: b64encode(flipped).decode()}, PLACE, KEYS)


@pytest.mark.parametrize("text", [pytest.param(SECRET, id="catalog:B-04")])
def test_no_two_are_alike(text: str) -> None:
    one, two = (seal(text, PLACE, KEYS, random_bytes) for _ in range(2))
    assert not {str(value) for name, value in one.items() if name not in ("version", "key_id")} & {
        str(value) for value in two.values()
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(one, id=f"catalog:B-05-{name}")
        for name, one in (
            ("short", b64encode(bytes(16)).decode()),
            ("long", b64encode(bytes(33)).decode()),
            ("text", "%%%"),
        )
    ],
)
def test_a_key_that_cannot_seal_stops_the_start(tmp_path: Any, text: str) -> None:
    """Sooner than the page has it: nothing is ever asked of a gateway that could not answer (guarantees §8)."""
    config = tmp_path / "tollway.toml"
    config.write_text(f'state_dir = "{tmp_path}"\nbyok_encryption_key = "{text}"\n')
    with pytest.raises(SettingsError):
        sealing_keys(load(config, environ={}))


# Who may


@pytest.mark.parametrize("shown", [pytest.param("Added BYOK key for provider: anthropic", id="catalog:B-06")])
def test_an_owner_adds_a_key(desk: Desk, shown: str) -> None:
    owner = desk.accounts.create()
    organization = desk.organization((owner, Role.OWNER))
    made = add(desk, owner, organization)
    assert made.status == 201
    assert SECRET.encode() not in made.body
    assert {"id", "provider_id", "provider_name", "created_at", "updated_at", "created_by"} <= set(made.json)
    assert desk.audit(owner, organization) == [shown]


@pytest.mark.parametrize("role", [pytest.param(Role.MEMBER, id="catalog:B-07")])
def test_a_member_adds_none(desk: Desk, role: Role) -> None:
    owner, member = desk.accounts.create(), desk.accounts.create()
    organization = desk.organization((owner, Role.OWNER), (member, role))
    refused = add(desk, member, organization)
    assert refused.status == 403
    assert message(refused) == "You do not have the required organizational role to access this feature"
    assert (count(desk, organization), desk.audit(owner, organization)) == (0, [])


@pytest.mark.parametrize("entries", [pytest.param(1, id="catalog:B-08")])
def test_members_look_and_strangers_do_not(desk: Desk, entries: int) -> None:
    owner, member, stranger = (desk.accounts.create() for _ in range(3))
    organization = desk.organization((owner, Role.OWNER), (member, Role.MEMBER))
    assert add(desk, owner, organization).status == 201
    assert len(desk.call(member, "GET", _path(organization)).json["data"]) == entries
    refused = desk.call(stranger, "GET", _path(organization))
    assert (refused.status, message(refused)) == (403, "You do not have access to this organization")


@pytest.mark.parametrize("shown", [pytest.param("BYOK key not found", id="catalog:B-09")])
def test_a_key_of_somebody_else_is_not_there(desk: Desk, shown: str) -> None:
    """Byte for byte as one that never was."""
    owner, other = desk.accounts.create(), desk.accounts.create()
    organization, another = desk.organization((owner, Role.OWNER)), desk.organization((other, Role.OWNER))
    theirs = add(desk, other, another).json["id"], add(desk, other).json["id"], new_id()
    answers = [desk.call(owner, "PATCH", _path(organization, one), {"api_key": "sk-other-key"}) for one in theirs]
    assert [answer.status for answer in answers] == [404] * 3
    assert without_id(answers[0]) == without_id(answers[1]) == without_id(answers[2])
    assert message(answers[0]) == shown


@pytest.mark.parametrize("statuses", [pytest.param((200, 404), id="catalog:B-10")])
def test_a_key_is_its_organizations(desk: Desk, statuses: tuple[int, int]) -> None:
    owner = desk.accounts.create()
    a, b = (desk.organization((owner, Role.OWNER)) for _ in range(2))
    made = add(desk, owner, a).json["id"]
    body = {"api_key": "sk-another-key"}
    assert tuple(desk.call(owner, "PATCH", _path(one, made), body).status for one in (a, b)) == statuses


@pytest.mark.parametrize("status", [pytest.param(200, id="catalog:B-11")])
def test_an_administrator_may_everything(desk: Desk, status: int) -> None:
    owner, admin = desk.accounts.create(), desk.administrator()
    organization = desk.organization((owner, Role.OWNER))
    made = add(desk, admin, organization)
    assert made.status == 201
    path = _path(organization, made.json["id"])
    assert desk.call(admin, "GET", _path(organization)).status == status
    assert desk.call(admin, "PATCH", path, {"is_enabled": False}).status == status
    assert desk.call(admin, "DELETE", path).json == {"success": True}


# What


@pytest.mark.parametrize("status", [pytest.param(409, id="catalog:B-12")])
def test_one_key_for_each_provider(desk: Desk, status: int) -> None:
    account = desk.accounts.create()
    first, second = add(desk, account), add(desk, account)
    assert (first.status, second.status) == (201, status)
    assert message(second) == "A key for this provider already exists"


@pytest.mark.parametrize(
    ("provider", "status"),
    [pytest.param("Anthropic", 201, id="catalog:B-13-case"), pytest.param("nosuch", 400, id="catalog:B-13-unknown")],
)
def test_a_provider_is_a_known_one_in_lower_case(desk: Desk, provider: str, status: int) -> None:
    made = add(desk, desk.accounts.create(), provider=provider)
    assert made.status == status
    assert made.json.get("provider_id", "anthropic") == "anthropic"


@pytest.mark.parametrize("entries", [pytest.param([], id="catalog:B-14")])
def test_what_is_personal_is_in_no_organizations_log(desk: Desk, entries: list[str]) -> None:
    account = desk.accounts.create()
    organization = desk.organization((account, Role.OWNER))
    made = add(desk, account).json["id"]
    assert desk.call(account, "PATCH", _path("", made), {"api_key": "sk-another-key"}).status == 200
    assert desk.call(account, "DELETE", _path("", made)).status == 200
    assert desk.audit(account, organization) == entries
    for action in ("add_own_key", "change_own_key", "delete_own_key"):
        line = desk.gateway.wait_for_words('"event":"security_event"', f'"action":"{action}"', account.user_id)
        assert (made in line) is (action != "add_own_key")


@pytest.mark.parametrize(
    ("key", "status"),
    [pytest.param("abc", 400, id="catalog:B-15-text"), pytest.param(BEDROCK, 201, id="catalog:B-15-object")],
)
def test_a_key_for_bedrock_is_an_object(desk: Desk, key: str, status: int) -> None:
    assert add(desk, desk.accounts.create(), provider="bedrock", key=key).status == status


@pytest.mark.parametrize("rows", [pytest.param(0, id="catalog:B-16")])
def test_without_its_entry_nothing_is_stored(desk: Desk, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    account = desk.accounts.create()
    organization = desk.organization((account, Role.OWNER))

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tollway.storage.sql.admin.own_keys.write_audit", fail)

    async def work(store: SqlAdmin, _: Database) -> None:
        from_ = KeyDesk(store, KEYS, random_bytes, ("anthropic",), Actor(account.user_id), datetime.now(UTC))
        with pytest.raises(ZeroDivisionError):
            assert not isinstance(
                await add_own_key(from_, Owner(OwnerKind.ORGANIZATION, organization), "anthropic", SECRET), Problem
            )

    desk.accounts.run(work)
    assert count(desk, organization) == rows


@pytest.mark.parametrize("secret", [pytest.param(SECRET, id="catalog:B-17")])
def test_it_leaves_no_trace(desk: Desk, secret: str) -> None:
    """In what the gateway of all the cases above wrote to its log, at debug level, or answers now."""
    account = desk.accounts.create()
    answers = [add(desk, account), add(desk, account), add(desk, account, provider=secret)]
    answers += [desk.call(account, "POST", "/byok-keys", {"provider_id": "openai", "api_key": secret, secret: 1})]
    answers += [desk.call(account, "GET", "/byok-keys")]
    assert not [answer for answer in answers if secret.encode() in answer.body]
    assert not [line for line in desk.gateway.lines if secret in line]


def test_they_are_served_where_the_page_has_them_as_well(desk: Desk) -> None:
    """The same keys by the same rules, the list as an array."""
    owner, member, stranger = (desk.accounts.create() for _ in range(3))
    organization = desk.organization((owner, Role.OWNER), (member, Role.MEMBER))
    path, query, body = (
        "/api/byok-keys",
        f"?organizationId={organization}",
        {"provider_id": "openai", "api_key": SECRET},
    )
    assert desk.call(None, "GET", path).status == 401
    assert desk.call(member, "POST", path + query, body).status == 403
    assert desk.call(owner, "POST", path + query, {**body, "user_id": stranger.user_id}).status == 400
    made = desk.call(owner, "POST", path + query, body)
    assert (made.status, SECRET.encode() in made.body) == (201, False)
    for who, listed in ((member, [made.json]), (owner, [made.json])):
        assert desk.call(who, "GET", path + query).json == listed
        assert desk.call(who, "GET", _path(organization)).json["data"] == listed
    assert desk.call(stranger, "GET", path + query).status == 403
    assert desk.call(owner, "GET", path).json == []  # one's own are others
    one = f"{path}/{made.json['id']}"
    assert desk.call(stranger, "PATCH", one, {"is_enabled": False}).status == 404
    assert desk.call(owner, "PATCH", one + query, {"is_enabled": False}).json["is_enabled"] is False
    assert desk.call(owner, "DELETE", one + query).json == {"success": True}
    told = [f"{what} BYOK key for provider: openai" for what in ("Deleted", "Disabled", "Added")]
    assert desk.audit(owner, organization) == told
