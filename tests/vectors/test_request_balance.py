"""Vectors BA1 to BA17 of request-path, "Balance": what a caller can spend, as the 402 names it.

The figures come from real books: what was spent is settled there, the caller is read by the authenticator, and the
answer is that of the stage. What needs no clock of its own goes through the running program.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.desk import Desk
from contract.scenario import DAY, START, a_hold, outcome
from contract.subscribers import keep, pay
from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.admin.keys import NewKey, create_key
from tollway.admin.members import set_daily_limit
from tollway.admin.office import Office
from tollway.admin.organizations import (
    NewOrganization,
    add_member,
    change_organization,
    create_organization,
)
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import OrganizationChange
from tollway.admin.users import NewUser, create_user
from tollway.billing.ledger import BudgetKind, BudgetRef, Hold, HoldRefused
from tollway.billing.payer import budgets_of
from tollway.billing.slices import Slices
from tollway.billing.subscriptions import Issued, Month
from tollway.catalog.classification import PAID
from tollway.catalog.preset import Promotion
from tollway.clock import monotonic
from tollway.errors import Problem
from tollway.gateway.funds import Funds
from tollway.gateway.settlement import Settlement
from tollway.gateway.stages import reserve_funds
from tollway.http.problems import problem_body
from tollway.identity.authenticator import Authenticator, AuthenticatorRules
from tollway.identity.caller import Caller, Role
from tollway.identity.promotions import read_promotions
from tollway.money import Microdollars
from tollway.routing.plan import Plan
from tollway.settings import parse
from tollway.storage.migrations.run import migrate
from tollway.storage.presets import load_preset
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.identity import SqlIdentity
from unit.billing.subscriptions import subscription
from unit.gateway.fake_money import FakeJournal
from unit.gateway.fakes import CALLER, USER, FakeFunds, candidate, exchange, model, services, settled
from vectors.conftest import settings_for_vectors
from vectors.upstream import Upstream

PEPPER = b"pepper"
DEAR = 10**12
YESTERDAY = DAY - timedelta(days=1)


class World:
    """One user with a key, alone or in an organization, and the books they spend from."""

    def __init__(self, database: Database) -> None:
        self._identity = SqlIdentity(database)
        self._books = SqlBooks(database, lambda: START)
        self.store = self._store = SqlAdmin(database)
        self._key = self._organization = self._user = ""
        journal, slices = FakeJournal(), Slices()
        settlement = Settlement("w1", self._books, journal, slices, monotonic)
        self._funds = Funds("w1", self._books, journal, slices, settlement, monotonic)

    async def found(self, credit: int, role: Role | None = None) -> None:
        """The user, with the organization where they have a role; one of the two has the credit."""
        self._user = (await _done(create_user(self._store, NewUser("ann@example.com"), START))).id
        self._key = (await _done(create_key(self._store, NewKey(self._user), PEPPER, START))).key
        owner = Owner(user=self._user)
        if role:
            made = await _done(create_organization(self._store, NewOrganization("Acme"), START))
            await _done(add_member(self._store, made.id, self._user, role, START))
            self._organization, owner = made.id, Owner(organization=made.id)
        await _done(add_credit(self._store, NewCredit(owner, credit, is_free=True), START))
        await self._books.enlist("w1", "here")

    @property
    def user_id(self) -> str:
        return self._user

    async def limit(self, microdollars: int) -> None:
        limit = Microdollars(microdollars)
        await _done(set_daily_limit(Office(self._store, OPERATOR, START), self._organization, self._user, limit))

    async def require_seats(self) -> None:
        change = OrganizationChange(require_seats=True)
        await _done(change_organization(self._store, self._organization, change, START))

    async def spend(self, amount: int, day: date = DAY) -> None:
        """Settled, against every budget that the caller has on that day."""
        desk = Desk(self._books, "w1")
        hold = await desk.hold("spent", amount, *budgets_of(await self.caller(), day))
        assert isinstance(hold, Hold)
        desk.end("spent", amount)
        await desk.settle()
        await desk.give_back()

    async def caller(self) -> Caller:
        rules = AuthenticatorRules(PEPPER, None, cache_s=60, callers_max=1)
        made = Authenticator(self._identity, rules, monotonic, lambda: int(START.timestamp()))
        caller = await made.authenticate(self._key, self._organization)
        assert isinstance(caller, Caller)
        return caller

    async def answer(self, worst_case: int, policy: str = "partial") -> Hold | Problem:
        answer = await reserve(await self.caller(), worst_case, START, funds=self._funds, policy=policy)
        if isinstance(answer, Hold):
            self._funds.release(answer)
        return answer


async def reserve(caller: Caller, worst_case: int, now: datetime, policy: str = "partial", **ports: Any) -> Any:
    """What the stage says to a request of that worst case."""
    one = exchange()
    one.received_at, one.kind = now, PAID
    one.caller, one.model = caller, model(id_="anthropic/claude-sonnet-4.6")
    dear = candidate()
    one.plan = Plan((type(dear)(dear.upstream, dear.offer, Microdollars(worst_case)),), 100, 100)
    settings = parse({"hold_policy": policy})
    return await settled(reserve_funds.run(one, services(settings=settings, **ports)))


async def _done(work: Awaitable[Any]) -> Any:
    result = await work
    assert not isinstance(result, Problem), result
    return result


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("balance") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def run(migrated: bytes, tmp_path: Path) -> Callable[[Callable[[World], Awaitable[Any]]], Any]:
    def play(scenario: Callable[[World], Awaitable[Any]]) -> Any:
        async def work() -> Any:
            (tmp_path / "tollway.db").write_bytes(migrated)
            database = open_database(f"sqlite:///{tmp_path}/tollway.db")
            try:
                return await scenario(World(database))
            finally:
                await database.close()

        return asyncio.run(work())

    return play


async def ba1(world: World) -> None:
    await world.found(100_000)
    await world.spend(75_000)


async def ba2(world: World) -> None:
    await world.found(1_030_000, Role.MEMBER)
    await world.limit(50_000)
    await world.spend(30_000)


async def ba3(world: World) -> None:
    await world.found(40_000, Role.MEMBER)
    await world.limit(50_000)
    await world.spend(30_000)


async def ba4(world: World) -> None:
    await world.found(1_000_000, Role.MEMBER)
    await world.limit(0)


async def ba5(world: World) -> None:
    await world.found(1_060_000, Role.MEMBER)
    await world.limit(70_000)
    await world.spend(60_000)
    await world.limit(50_000)


async def ba6(world: World) -> None:
    await world.found(1_000_000, Role.MEMBER)
    await world.limit(0)
    await world.require_seats()


async def ba7(world: World) -> None:
    await world.found(1_030_000, Role.MEMBER)
    await world.limit(50_000)
    await world.spend(30_000, YESTERDAY)


async def ba8(world: World) -> None:
    await world.found(1_000_000, Role.BILLING_MANAGER)


@pytest.mark.parametrize(
    ("scenario", "balance"),
    [
        pytest.param(ba1, "0.025", id="request:BA1"),
        pytest.param(ba2, "0.02", id="request:BA2"),
        pytest.param(ba3, "0.01", id="request:BA3"),
        pytest.param(ba4, "0", id="request:BA4"),
        pytest.param(ba5, "-0.01", id="request:BA5"),
        pytest.param(ba6, "1", id="request:BA6"),
        pytest.param(ba7, "0.05", id="request:BA7"),
        pytest.param(ba8, "0", id="request:BA8"),
    ],
)
def test_balances(run: Callable[..., Any], scenario: Callable[[World], Awaitable[None]], balance: str) -> None:
    """Whoever has something is served; the figure is named to one who needs more than it and must have all of it."""

    async def play(world: World) -> tuple[Any, Any]:
        await scenario(world)
        return await world.answer(1), await world.answer(DEAR, "strict")

    served, refused = run(play)
    assert isinstance(served, Hold) == (float(balance) > 0)
    for problem in (refused, served):
        if isinstance(problem, Problem):
            assert problem.http_status == 402
            assert f'"balance":{balance},'.encode() in problem_body(problem, "r", historic=True)


# Promotions

REVIEW = Promotion("bot_id", "reviewer", "anthropic/claude-sonnet-4.6", "2026-02-25T14:00:00Z")
CLOUD = Promotion(
    "token_source",
    "cloud-agent",
    "anthropic/claude-sonnet-4.6",
    "2026-02-28T08:00:00Z",
    start="2026-02-26T08:00:00Z",
)
REVIEWER = replace(CALLER, bot_id="reviewer")
AGENT = replace(CALLER, token_source="cloud-agent")


@pytest.mark.parametrize(
    ("caller", "promotions", "at", "allowed"),
    [
        pytest.param(REVIEWER, load_preset("kilo").promotions, "2026-02-25T13:59:59Z", False, id="request:BA15"),
        pytest.param(REVIEWER, (REVIEW,), "2026-02-25T13:59:59Z", True, id="request:BA16-before"),
        pytest.param(REVIEWER, (REVIEW,), "2026-02-25T14:00:00Z", False, id="request:BA16-over"),
        pytest.param(AGENT, (CLOUD,), "2026-02-26T07:59:59Z", False, id="request:BA17-before"),
        pytest.param(AGENT, (CLOUD,), "2026-02-26T08:00:00Z", True, id="request:BA17-lasting"),
        pytest.param(AGENT, (CLOUD,), "2026-02-28T08:00:00Z", False, id="request:BA17-over"),
    ],
)
def test_promotions(caller: Caller, promotions: tuple[Promotion, ...], at: str, allowed: bool) -> None:
    class Empty(FakeFunds):
        def hold(self, order: Any) -> Any:  # as the real ones: what costs nothing is always held
            self.refuses = HoldRefused(USER, Microdollars(0)) if order.worst_case else None
            return super().hold(order)

    ports = {"funds": Empty(), "promotions": read_promotions(promotions)}
    answer = asyncio.run(reserve(caller, 1_000, datetime.fromisoformat(at), **ports))
    assert isinstance(answer, Hold) == allowed
    assert allowed or answer.http_status == 402


# Through the running program

NEVER_PAID = (
    b'{"error":{"title":"Paid Model - Credits Required","message":"This is a paid model. To use paid models, you need '
    b'to add credits. Get $20 free on your first topup!","balance":0,"buyCreditsUrl":"https://app.kilo.ai/profile"}}'
)
HAS_PAID = (
    b'{"error":{"title":"Low Credit Warning!","message":"Add credits to continue, or switch to a free model",'
    b'"balance":0,"buyCreditsUrl":"https://app.kilo.ai/profile"}}'
)
FREE = """
[[models]]
id = "meta-llama/llama-4-scout:free"
provider = "openrouter"
prompt_usd_per_million = "0"
completion_usd_per_million = "0"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("balances")
    top = 'preset = "kilo"\napp_url = "https://app.kilo.ai"\n'
    program = Gateway(folder, top + settings_for_vectors(folder, upstream) + FREE)
    yield program
    program.stop()


def chat(gateway: Gateway, account: Account, named: str) -> Any:
    body = json.dumps({"model": named, "messages": [{"role": "user", "content": "hi"}]}).encode()
    return ask(gateway, request(body, b"/api/openrouter/chat/completions", account.headers))


@pytest.mark.parametrize(
    ("has_paid", "body"),
    [
        pytest.param(False, NEVER_PAID, id="request:BA9"),
        pytest.param(True, HAS_PAID, id="request:BA10"),
    ],
)
def test_the_text_depends_on_whether_they_ever_paid(
    gateway: Gateway, upstream: Upstream, has_paid: bool, body: bytes
) -> None:
    """One who paid, did so for an organization, so that nothing is left of it on their own account."""
    accounts = Accounts(gateway.config)
    account = accounts.create(0)

    async def pay(store: SqlAdmin, _: Database) -> None:
        made = await _done(create_organization(store, NewOrganization(account.user_id), START))
        paid = NewCredit(Owner(account.user_id, made.id), 20_000_000, is_free=False)
        await _done(add_credit(store, paid, START))

    if has_paid:
        accounts.run(pay)
    answer = chat(gateway, account, "anthropic/claude-sonnet-4.6")
    assert (answer.status, answer.body) == (402, body)
    assert upstream.is_untouched


@pytest.mark.parametrize("body", [pytest.param(NEVER_PAID, id="request:BA11")])
def test_what_a_subscription_credits_is_no_top_up(gateway: Gateway, upstream: Upstream, body: bytes) -> None:
    """All of it is used, so that it is refused; what was paid for the month is the only payment."""
    accounts = Accounts(gateway.config)
    account = accounts.create(0)

    async def subscribe(_: SqlAdmin, database: Database) -> None:
        month = Month(date(2026, 3, 1), f"invoice-{account.user_id}")
        one = subscription(id=account.user_id, user_id=account.user_id)
        await keep(database, one)
        assert await pay(database, one.id, month, load_preset("kilo").subscriptions, START) is Issued.DONE
        books, payer = SqlBooks(database), BudgetRef(BudgetKind.USER, account.user_id)
        await books.enlist(account.user_id, "vectors")
        used = outcome(a_hold(account.user_id, 0, payer, worst_case=19_000_000), 19_000_000)
        await books.settle(account.user_id, [used])
        await books.retire(account.user_id)

    accounts.run(subscribe)
    answer = chat(gateway, account, "anthropic/claude-sonnet-4.6")
    assert (answer.status, answer.body) == (402, body)
    assert upstream.is_untouched


@pytest.mark.parametrize("named", [pytest.param("meta-llama/llama-4-scout:free", id="request:BA12")])
def test_a_free_model_needs_no_balance(gateway: Gateway, upstream: Upstream, named: str) -> None:
    assert chat(gateway, Accounts(gateway.config).create(0), named).status == 200
    assert upstream.next().body["model"] == named
