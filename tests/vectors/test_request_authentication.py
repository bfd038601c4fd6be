"""Vectors of request-path, "Authentication" and "Anonymous gate": the page's tokens at the page's clock, then the same
rules through the running gateway with fresh tokens.
"""

import asyncio
import hmac
import json
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from flow.accounts import Account, Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import usage_of
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.users import block_user
from tollway.errors import Problem
from tollway.identity.authenticator import Authenticator, AuthenticatorRules
from tollway.identity.bearer import read_bearer
from tollway.identity.caller import Caller, Refusal, Role
from tollway.identity.email_domains import is_blocked, read_domains
from tollway.identity.owned import Owned, Owner
from tollway.identity.store import Changes, KeyRow, MembershipRow, UserRow
from tollway.identity.tokens import TokenRules, read_token
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import organizations, users

SECRET = b"test-secret-at-least-32-characters-long"
NOW = 1_771_718_400
ORGANIZATION = "6f1d9a52-8a0e-4f0c-9a1e-2b3c4d5e6f70"
TOKENS = {
    "J1": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjMsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAwfQ."
        "Y5CRMObopEuomUsSXW6XcrKaMuthiv1QtEJnarQ3qkM"
    ),
    "J2": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjIsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAwfQ."
        "ZXbhxONz0GBh7v-PhWE6K0FlysB4khfRz_fQIKEH_rg"
    ),
    "J3": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjMsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxNzcxNzE4NDAwfQ."
        "rY1m_1Ig8LexndmQLjdXcIP1ny91w2BZFNhidQMd-aw"
    ),
    "J4": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjMsImlhdCI6MTc3MTcxODQ2MSwiZXhwIjoxOTI0OTA1NjAwfQ."
        "0fR-K9NubYVk1pjGggNlhZTrgqwaWIr62aP71Wx_8oQ"
    ),
    "J5": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjMsImlhdCI6MTc2NzIyNTYwMH0."
        "7QsH_u9GZhyLH3jg7r07HwMvOOrzhMszFcnb85ZduQw"
    ),
    "J6": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwidmVyc2lvbiI6MywiaWF0IjoxNzY3MjI1NjAwLCJleHAiOjE5MjQ5MDU2MDB9."
        "QyW3TzkjsS9yx6Ba0RTHGg768apBNqvHWrZ4vqKOPHo"
    ),
    "J7": (
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjMsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAwfQ."
        ""
    ),
    "J8": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOiIzIiwiaWF0IjoxNzY3MjI1NjAwLCJleHAiOjE5MjQ5MDU2MDB9."
        "wRaQ8CF-z-evxNSWLE3gycjWPoHc_ij2iAL74p5lEm8"
    ),
    "J9": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOjMsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAxfQ."
        "BZqGrYNNrGZjcA6MVpSJXLTEChXtVHGSW8dg9FyE4Wo"
    ),
}
J1 = TOKENS["J1"]

BASE: dict[str, Any] = {
    "kiloUserId": "user-1",
    "apiTokenPepper": "p1",
    "version": 3,
    "iat": 1_767_225_600,
    "exp": 1_924_905_600,
}
HEADER = {"alg": "HS256", "typ": "JWT"}


def sign(payload: dict[str, Any], header: dict[str, str] = HEADER) -> str:
    text = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    return f"{text}.{_encoded(hmac.new(SECRET, text.encode(), sha256).digest())}"


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def _without(name: str) -> dict[str, Any]:
    return {claim: value for claim, value in BASE.items() if claim != name}


@pytest.mark.parametrize(
    ("name", "token"),
    [
        pytest.param("J1", sign(BASE), id="J1"),
        pytest.param("J2", sign({**BASE, "version": 2}), id="J2"),
        pytest.param("J3", sign({**BASE, "exp": NOW}), id="J3"),
        pytest.param("J4", sign({**BASE, "iat": NOW + 61}), id="J4"),
        pytest.param("J5", sign(_without("exp")), id="J5"),
        pytest.param("J6", sign(_without("apiTokenPepper")), id="J6"),
        pytest.param("J7", sign(BASE, {"alg": "none", "typ": "JWT"}).rpartition(".")[0] + ".", id="J7"),
        pytest.param("J8", sign({**BASE, "version": "3"}), id="J8"),
        pytest.param("J9", sign({**BASE, "exp": BASE["exp"] + 1}), id="J9"),
    ],
)
def test_the_tokens_of_the_page(name: str, token: str) -> None:
    assert TOKENS[name] == token


class OneUser:
    """A store with at most one user, who is a member of no organization."""

    def __init__(self, user: UserRow | None) -> None:
        self._user = user

    async def user(self, user_id: str) -> UserRow | None:
        return self._user if self._user and self._user.id == user_id else None

    async def key_by_hash(self, secret_hash: str) -> tuple[KeyRow, UserRow] | None:
        return None

    async def membership(self, organization_id: str, user_id: str) -> MembershipRow | None:
        return None

    async def owned(self, _: Owner) -> Owned:
        return Owned()

    async def changes(self, since: int | None) -> Changes:
        return Changes(1, frozenset())


USER = UserRow("user-1", "u@example.org", "p1", None)


def authenticate(header: str, user: UserRow | None = USER) -> Caller | str:
    """The caller, or the internal reason."""
    credential = read_bearer(header.encode())
    if not credential:
        return "no token"
    rules = AuthenticatorRules(b"pepper", TokenRules(SECRET), cache_s=60, callers_max=10)
    one = Authenticator(OneUser(user), rules, lambda: 0.0, lambda: NOW)
    verdict = asyncio.run(one.authenticate(credential, ""))
    return verdict.reason if isinstance(verdict, Refusal) else verdict


def peppered(pepper: str | None) -> UserRow:
    return replace(USER, pepper=pepper)


KNOWN = Caller("user-1", "u@example.org")


@pytest.mark.parametrize(
    ("header", "user", "expected"),
    [
        pytest.param(f"Bearer {J1}", USER, KNOWN, id="request:AU1"),
        pytest.param(f"bearer {J1}", USER, KNOWN, id="request:AU2"),
        pytest.param(f"Bearer  {J1}", USER, "no token", id="request:AU3-two-spaces"),
        pytest.param("Bearer", USER, "no token", id="request:AU3-alone"),
        pytest.param("Basic abc", USER, "no token", id="request:AU3-basic"),
        pytest.param(J1, USER, "no token", id="request:AU3-raw"),
        pytest.param(f"Bearer {J1}", peppered("p2"), "Invalid API token", id="request:AU4"),
        pytest.param(f"Bearer {TOKENS['J6']}", USER, "Invalid API token", id="request:AU5"),
        pytest.param(f"Bearer {TOKENS['J6']}", peppered(None), KNOWN, id="request:AU6-J6"),
        pytest.param(f"Bearer {J1}", peppered(None), KNOWN, id="request:AU6-J1"),
        pytest.param(f"Bearer {TOKENS['J2']}", USER, "version", id="request:AU7-J2"),
        pytest.param(f"Bearer {TOKENS['J8']}", USER, "invalid", id="request:AU7-J8"),
        pytest.param(f"Bearer {TOKENS['J3']}", USER, "expired", id="request:AU8"),
        pytest.param(f"Bearer {TOKENS['J4']}", USER, "invalid", id="request:AU9-J4"),
        pytest.param(f"Bearer {TOKENS['J5']}", USER, "invalid", id="request:AU9-J5"),
        pytest.param(f"Bearer {TOKENS['J9']}", USER, "invalid", id="request:AU9-J9"),
        pytest.param(f"Bearer {TOKENS['J7']}", USER, "invalid", id="request:AU10-none"),
        pytest.param(f"Bearer {J1[:-2]}p{J1[-1]}", USER, "invalid", id="request:AU10-signature"),
        pytest.param(f"Bearer {J1}=", USER, "invalid", id="request:AU10-padded"),
        pytest.param(f"Bearer {J1}", None, "User not found", id="request:AU11"),
        pytest.param(f"Bearer {sign({**BASE, 'organizationId': ORGANIZATION})}", USER, KNOWN, id="request:AU19-token"),
    ],
)
def test_cases(header: str, user: UserRow | None, expected: Caller | str) -> None:
    assert authenticate(header, user) == expected


def test_one_second_earlier_the_third_token_is_good() -> None:
    assert not isinstance(read_token(TOKENS["J3"], TokenRules(SECRET), NOW - 1), Refusal)


LIST = "spam.com| example.com "


@pytest.mark.parametrize(
    ("email", "text", "blocked"),
    [
        pytest.param("u@spam.com", LIST, True, id="request:AU12-domain"),
        pytest.param("U@Sub.Example.COM", LIST, True, id="request:AU12-below"),
        pytest.param("spam.com@legitimate.org", LIST, False, id="request:AU13-before"),
        pytest.param("u@notspam.com", LIST, False, id="request:AU13-longer"),
        pytest.param("u@spam.com.fake", LIST, False, id="request:AU13-inside"),
        pytest.param("u@spam.com", "", False, id="request:AU13-empty"),
    ],
)
def test_the_black_list(email: str, text: str, blocked: bool) -> None:
    assert is_blocked(email, read_domains(text)) is blocked


# The same through the running gateway


SIGN_IN = b'{"error":{"code":"PAID_MODEL_AUTH_REQUIRED","message":"You need to sign in to use this model."}}'


class World:
    """A gateway that takes tokens, and people with fresh ones."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.accounts = Accounts(gateway.config)

    def token(self, account: Account, **claims: object) -> str:
        """A token of the account's user, good for a minute."""

        async def work(_: SqlAdmin, database: Database) -> str | None:
            def read(connection: Connection) -> str | None:
                return connection.execute(select(users.c.pepper).where(users.c.id == account.user_id)).scalar()

            return await database.read(read)

        now = int(datetime.now(UTC).timestamp())
        own = {"kiloUserId": account.user_id, "apiTokenPepper": self.accounts.run(work), "iat": now, "exp": now + 60}
        return sign({**BASE, **own, **claims})

    def organization(self, account: Account, role: Role | None = Role.MEMBER, deleted: bool = False) -> str:
        """The id of a new organization, in which the account's user has this role."""

        async def work(store: SqlAdmin, database: Database) -> str:
            now = datetime.now(UTC)
            made = await create_organization(store, NewOrganization(f"of {account.user_id} {now}"), now)
            assert not isinstance(made, Problem)
            if role:
                member = await add_member(store, made.id, account.user_id, role, now)
                assert not isinstance(member, Problem)
            if deleted:
                statement = update(organizations).where(organizations.c.id == made.id).values(deleted_at=now)
                await database.write(lambda connection: connection.execute(statement))
            return made.id

        return self.accounts.run(work)

    def block(self, account: Account) -> None:
        async def work(store: SqlAdmin, _: Database) -> None:
            done = await block_user(store, account.user_id, "abuse", datetime.now(UTC))
            assert not isinstance(done, Problem)

        self.accounts.run(work)

    def ask(self, headers: dict[str, str], model: str = "sim/story") -> tuple[int, bytes]:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
        url = f"{self.gateway.url}/api/openrouter/chat/completions"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tokens")
    sim = Sim(folder / "sim")
    settings = settings_for(folder, sim.url, models=FREE_MODEL, top='preset = "kilo"')
    settings += f'\n[jwt]\nsecret = "{SECRET.decode()}"\n'
    gateway = Gateway(folder, settings)
    yield World(gateway)
    gateway.stop()
    sim.stop()


FREE_MODEL = """
[[models]]
id = "sim/story:free"
provider = "sim"
upstream_model = "sim/story"
prompt_usd_per_million = "0"
completion_usd_per_million = "0"
"""


def bearer(token: str, organization: str = "") -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "x-kilocode-organizationid": organization}


@pytest.fixture
def account(world: World) -> Account:
    return world.accounts.create()


@pytest.mark.parametrize(
    "scheme", [pytest.param("Bearer", id="request:AU1-served"), pytest.param("bearer", id="request:AU2-served")]
)
def test_a_token_is_served_and_charged(world: World, account: Account, scheme: str) -> None:
    status, _ = world.ask({"Authorization": f"{scheme} {world.token(account)}"})
    assert status == 200
    assert world.accounts.balance(account) < 10_000_000


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("Bearer  {}", id="request:AU3-two-spaces-refused"),
        pytest.param("Bearer", id="request:AU3-alone-refused"),
        pytest.param("Basic abc", id="request:AU3-basic-refused"),
        pytest.param("{}", id="request:AU3-raw-refused"),
        pytest.param("Bearer {}=", id="request:AU10-padded-refused"),
    ],
)
def test_a_useless_header_is_no_token(world: World, account: Account, form: str) -> None:
    assert world.ask({"Authorization": form.format(world.token(account))}) == (401, SIGN_IN)


@pytest.mark.parametrize("claims", [pytest.param({"apiTokenPepper": "other"}, id="request:AU4-refused")])
def test_another_pepper_is_refused(world: World, account: Account, claims: dict[str, object]) -> None:
    assert world.ask(bearer(world.token(account, **claims))) == (401, SIGN_IN)


@pytest.mark.parametrize("_", [pytest.param(0, id="request:AU14")])
def test_a_blocked_user_must_sign_in(world: World, account: Account, _: int) -> None:
    world.block(account)
    assert world.ask(bearer(world.token(account))) == (401, SIGN_IN)


@pytest.mark.parametrize("_", [pytest.param(0, id="request:AU15")])
def test_a_blocked_user_is_a_stranger_for_a_free_model(world: World, account: Account, _: int) -> None:
    """Served, and in nobody's name: there is no row of theirs, as there is of one who is not blocked."""
    other = world.accounts.create()
    world.block(account)
    for one in (account, other):
        assert world.ask(bearer(world.token(one)), "sim/story:free")[0] == 200
    assert [len(usage_of(world.accounts, one)) for one in (account, other)] == [0, 1]


@pytest.mark.parametrize("_", [pytest.param(0, id="request:AU16")])
def test_an_organization_that_is_no_uuid(world: World, account: Account, _: int) -> None:
    assert world.ask(bearer(world.token(account), "not-a-uuid")) == (401, SIGN_IN)


@pytest.mark.parametrize(
    ("role", "deleted"),
    [pytest.param(None, False, id="request:AU17"), pytest.param(Role.OWNER, True, id="request:AU18")],
)
def test_an_organization_one_is_no_member_of(world: World, account: Account, role: Role | None, deleted: bool) -> None:
    organization = world.organization(account, role, deleted)
    assert world.ask(bearer(world.token(account), organization)) == (401, SIGN_IN)


@pytest.mark.parametrize("_", [pytest.param(0, id="request:AU19")])
def test_the_tokens_organization_does_not_pay(world: World, account: Account, _: int) -> None:
    token = world.token(account, organizationId=world.organization(account), organizationRole="owner")
    assert world.ask(bearer(token))[0] == 200
    assert world.accounts.balance(account) < 10_000_000


@pytest.mark.parametrize("_", [pytest.param(0, id="request:AU20")])
def test_a_billing_manager_is_known_and_has_no_balance(world: World, account: Account, _: int) -> None:
    organization = world.organization(account, Role.BILLING_MANAGER)
    status, body = world.ask(bearer(world.token(account), organization))
    assert (status, json.loads(body)["error"]["balance"]) == (402, 0)


@pytest.mark.parametrize("_", [pytest.param(0, id="request:AU21")])
def test_an_administrator_pays_like_anybody(world: World, _: int) -> None:
    poor = world.accounts.create(0)
    status, body = world.ask(bearer(world.token(poor, isAdmin=True)))
    assert (status, json.loads(body)["error"]["balance"]) == (402, 0)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("anthropic/claude-sonnet-4.6", id="request:AN1"),
        pytest.param("kilo-internal/x", id="request:AN3-internal"),
        pytest.param("acme/x", id="request:AN3-custom"),
    ],
)
def test_a_stranger_must_sign_in(world: World, model: str) -> None:
    assert world.ask({}, model) == (401, SIGN_IN)
