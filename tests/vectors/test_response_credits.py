"""Vectors of response-path §16.9: balances, the alert of organizations, the text of a 402, credits that expire.

Balances are those of test_request_balance.py, with figures of their own; what can be spent is what the books would
lease.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from contract.scenario import ACME, START, Clock, a_hold, outcome, record, top_up
from contract.subscribers import keep, pay
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.billing.expiry import ExpiringCredit, expire
from tollway.billing.ledger import Hold
from tollway.billing.subscriptions import Issued, Month
from tollway.errors import Problem
from tollway.http.problems import problem_body
from tollway.identity.caller import Role
from tollway.money import Microdollars
from tollway.storage.migrations.run import migrate
from tollway.storage.presets import load_preset
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.notices import SqlNotices
from tollway.storage.sql.tables import organizations
from unit.billing.subscriptions import subscription
from vectors.test_request_balance import DEAR, World

Scenario = Callable[[World], Awaitable[Any]]
A = "a"
B = "b"


def january(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def credit(id_: str, baseline: int, amount: int, expires_at: datetime) -> ExpiringCredit:
    return ExpiringCredit(id_, Microdollars(amount), baseline, expires_at)


FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)
BOTH = (credit(A, 0, 5_000_000, january(10)), credit(B, 1_000_000, 4_000_000, FEBRUARY))


@pytest.mark.parametrize(
    ("credits_", "used", "now", "left", "baselines"),
    [
        pytest.param(BOTH[:1], 0, january(15), {A: 5_000_000}, {}, id="response:V143"),
        pytest.param(BOTH[:1], 2_000_000, january(15), {A: 3_000_000}, {}, id="response:V144"),
        pytest.param(BOTH, 3_000_000, january(15), {A: 2_000_000}, {B: 3_000_000}, id="response:V145"),
        pytest.param(
            BOTH,
            3_000_000,
            datetime(2026, 2, 15, tzinfo=UTC),
            {A: 2_000_000, B: 4_000_000},
            {B: 3_000_000},
            id="response:V146",
        ),
        pytest.param(
            (credit(A, 2_000_000, 1_000_000, january(10)),),
            1_500_000,
            january(15),
            {A: 1_000_000},
            {},
            id="response:V147",
        ),
    ],
)
def test_what_is_taken_back_of_expired_credits(
    credits_: tuple[ExpiringCredit, ...], used: int, now: datetime, left: dict[str, int], baselines: dict[str, int]
) -> None:
    expired = expire(credits_, used, now)
    assert (expired.left, expired.baselines) == (left, baselines)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("credits") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def play(empty: bytes, tmp_path: Path) -> Callable[[Callable[[Database], Awaitable[Any]]], Any]:
    def run(scenario: Callable[[Database], Awaitable[Any]]) -> Any:
        async def work() -> Any:
            (tmp_path / "tollway.db").write_bytes(empty)
            database = open_database(f"sqlite:///{tmp_path}/tollway.db")
            try:
                return await scenario(database)
            finally:
                await database.close()

        return asyncio.run(work())

    return run


def member(credit_: int, limit: int | None, used: int, seats: bool = False) -> Scenario:
    """Of an organization that has `credit_` left after what the member used."""

    async def scenario(world: World) -> None:
        await world.found(credit_ + used, Role.MEMBER)
        if used:
            await world.limit(2 * used)
            await world.spend(used)
        if limit is not None:
            await world.limit(limit)
        if seats:
            await world.require_seats()

    return scenario


def personal(acquired: int, used: int) -> Scenario:
    async def scenario(world: World) -> None:
        await world.found(acquired)
        await world.spend(used)

    return scenario


async def manager(world: World) -> None:
    await world.found(1_000_000, Role.BILLING_MANAGER)


@pytest.mark.parametrize(
    ("scenario", "balance"),
    [
        pytest.param(personal(5_000_000, 4_999_999), "0.000001", id="response:V132"),
        pytest.param(personal(5_000_000, 5_000_000), "0", id="response:V133"),
        pytest.param(member(1_000_000, 50_000, 20_000), "0.03", id="response:V134"),
        pytest.param(member(1_000_000, 50_000, 60_000), "-0.01", id="response:V135"),
        pytest.param(member(10_000, 50_000, 0), "0.01", id="response:V136"),
        pytest.param(member(1_000_000, 50_000, 60_000, seats=True), "1", id="response:V137"),
        pytest.param(member(1_000_000, 0, 0), "0", id="response:V138"),
        pytest.param(manager, "0", id="response:V139"),
    ],
)
def test_balances(play: Callable[..., Any], scenario: Scenario, balance: str) -> None:
    """Whoever has something is served; one who needs more than there is, and must have all of it, is told how much."""

    async def work(database: Database) -> tuple[Any, Any]:
        world = World(database)
        await scenario(world)
        return await world.answer(1), await world.answer(DEAR, "strict")

    served, refused = play(work)
    assert isinstance(served, Hold) == (float(balance) > 0)
    assert isinstance(refused, Problem)
    assert json.loads(problem_body(refused, "r", historic=True))["error"]["balance"] == float(balance)


@pytest.mark.parametrize("free", [pytest.param("meta-llama/llama-4-scout:free", id="response:V133-free")])
def test_a_free_model_needs_no_balance(play: Callable[..., Any], free: str) -> None:
    async def work(database: Database) -> Any:
        world = World(database)
        await personal(5_000_000, 5_000_000)(world)
        return await world.answer(0)

    assert free.endswith(":free")
    assert isinstance(play(work), Hold)


@pytest.mark.parametrize(
    ("before", "cost", "tells"),
    [
        pytest.param(5_000_000, 10_000, True, id="response:V140-crosses"),
        pytest.param(4_990_000, 10_000, False, id="response:V140-below"),
        pytest.param(5_010_000, 10_000, False, id="response:V140-reaches"),
    ],
)
def test_the_alert_of_an_organization(play: Callable[..., Any], before: int, cost: int, tells: bool) -> None:
    async def work(database: Database) -> int:
        clock = Clock()
        books, notices = SqlBooks(database, clock), SqlNotices(database, clock)
        settings = {"minimum_balance": 5, "minimum_balance_alert_email": ["boss@example.com"]}
        row = {"id": "acme", "name": "A", "plan": "teams", "settings": settings, "created_at": START}
        statement = insert(organizations)
        await database.write(lambda connection: connection.execute(statement, {**row, "updated_at": START}))
        await books.enlist("w1", "here")
        await top_up(database, ACME, before)
        used = outcome(a_hold("r1", 0, ACME, worst_case=cost), cost, record=record(organization_id="acme"))
        await books.settle("w1", [used])
        return len(await notices.take(10))

    assert play(work) == int(tells)


async def subscribed(world: World, database: Database, user_id: str) -> None:
    one = subscription(user_id=user_id)
    await keep(database, one)
    month = Month(START.date().replace(day=1), "i")
    issued = await pay(database, one.id, month, load_preset("kilo").subscriptions, START)
    assert issued is Issued.DONE


@pytest.mark.parametrize(
    ("buys", "title"),
    [
        pytest.param(False, "Paid Model - Credits Required", id="response:V141"),
        pytest.param(True, "Low Credit Warning!", id="response:V142"),
    ],
)
def test_the_text_of_a_402(play: Callable[..., Any], buys: bool, title: str) -> None:
    """What a subscription credits is no purchase; one more is."""

    async def work(database: Database) -> Any:
        world = World(database)
        await world.found(1)
        await subscribed(world, database, world.user_id)
        if buys:
            await add_credit(world.store, NewCredit(Owner(world.user_id), 1, is_free=False), START)
        return await world.answer(DEAR, "strict")

    body = problem_body(play(work), "r", historic=True)
    assert title.encode() in body
    assert (b"$20" in body) is not buys
