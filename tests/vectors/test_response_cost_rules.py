"""Vectors of response-path §16.5: what is charged, and what is written of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace as with_other
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from contract.commit_fault import CommitFault
from contract.scenario import ACME, ANN, Clock, a_hold, day_of_ann, outcome, record, top_up
from tollway.billing.ledger import Basis, BudgetRef, Outcome, member_day
from tollway.billing.particulars import NO_PARTICULARS, Origin, Particulars, encode_origin, storable, stored_model
from tollway.catalog.classification import Classification
from tollway.catalog.preset import Promotion
from tollway.gateway.closers import settle_funds
from tollway.gateway.reply import Reply
from tollway.gateway.stages import reserve_funds
from tollway.identity.caller import Caller
from tollway.identity.promotions import read_promotions
from tollway.money import Microdollars
from tollway.routing.plan import Candidate, Plan
from tollway.routing.precedence import OwnRoute, Rule
from tollway.storage.migrations.run import migrate
from tollway.storage.presets import load_preset
from tollway.storage.sql.accounting_tables import usage_origins
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.notices import SqlNotices
from tollway.storage.sql.tables import budgets, usage
from tollway.storage.sql.usage import SqlUsage
from tollway.wire.answer import Answer
from tollway.wire.client_headers import leading_number
from tollway.wire.prompt_info import PromptInfo, estimate_tokens, prompt_info
from unit.gateway.closers.test_settle_funds import served
from unit.gateway.fakes import CALLER, NOW, FakeFunds, candidate, services, settled
from vectors.transcripts import T1, stream

KINDS = Classification(load_preset("kilo"))
DEAR = Microdollars(1_000_000)


def charged(
    model_id: str = "vendor/paid",
    cost_usd: str = "0.008304",
    *,
    caller: Caller = CALLER,
    promotions: tuple[Promotion, ...] = (),
    at: datetime = NOW,
    own: OwnRoute | None = None,
) -> Outcome:
    """From the hold that is asked for to the outcome, of an answer at that cost."""
    answer = stream([T1.replace(b"0.008304", cost_usd.encode())]).outcome
    one, funds = served(None), FakeFunds()
    offered = candidate("openrouter", reports_cost=True)
    dear = Candidate(offered.upstream, offered.offer, DEAR)
    one.caller, one.kind, one.received_at = caller, KINDS.kind_of(model_id), at
    one.model, one.own = with_other(one.model, id=model_id), own
    one.plan = Plan((dear,), 100_000, 10_000)
    ports = services(funds=funds, promotions=read_promotions(promotions))
    one.hold = asyncio.run(settled(reserve_funds.run(one, ports)))
    one.reply = _reply(dear, answer)
    asyncio.run(settled(settle_funds.run(one, ports)))
    return funds.closed[0]


def _reply(dear: Candidate, answer: Outcome) -> Reply:
    told, kept = answer.record, answer.usage
    facts = Answer(told.message_id, told.model, told.inference_provider, told.finish_reason, kept, False, True, 2)
    return Reply(dear, 200, facts, streamed=True)


# Cost

REVIEW = Promotion("bot_id", "reviewer", "anthropic/claude-sonnet-4.6", "2026-02-25T14:00:00Z")
CLOUD = Promotion("token_source", "cloud-agent", REVIEW.model, "2026-02-28T08:00:00Z", start="2026-02-26T08:00:00Z")
REVIEWER, AGENT = with_other(CALLER, bot_id="reviewer"), with_other(CALLER, token_source="cloud-agent")


def promoted(caller: Caller, promotion: Promotion, at: str) -> Outcome:
    return charged(REVIEW.model, caller=caller, promotions=(promotion,), at=datetime.fromisoformat(at))


@pytest.mark.parametrize(
    ("of", "cost", "market_cost"),
    [
        pytest.param(charged(), 8304, 8304, id="response:V53-cost"),
        pytest.param(charged("minimax/minimax-m2.5:free", "0.000105"), 0, 105, id="response:V54-cost"),
        pytest.param(
            charged(own=OwnRoute(Rule.OWN_KEYS, is_byok=True, bypasses_access_check=False)),
            0,
            8304,
            id="response:V55-cost",
        ),
        pytest.param(charged("openrouter/horizon-alpha", "0.0005"), 0, 500, id="response:V56-alpha"),
        pytest.param(charged("openrouter/auto", "0.0005"), 500, 500, id="response:V56-auto"),
        pytest.param(promoted(REVIEWER, REVIEW, "2026-02-25T13:59:59Z"), 0, 8304, id="response:V57-lasting"),
        pytest.param(promoted(REVIEWER, REVIEW, "2026-02-25T14:00:00Z"), 8304, 8304, id="response:V57-over"),
        pytest.param(promoted(AGENT, CLOUD, "2026-02-26T08:00:00Z"), 0, 8304, id="response:V58-lasting"),
        pytest.param(promoted(AGENT, CLOUD, "2026-02-28T08:00:00Z"), 8304, 8304, id="response:V58-over"),
    ],
)
def test_what_is_charged(of: Outcome, cost: int, market_cost: int) -> None:
    assert (of.charge, of.market_cost) == (cost, market_cost)


@pytest.mark.parametrize(
    ("particulars", "stored"),
    [
        pytest.param(Particulars(hides_model=True), "giga-potato", id="response:V62"),
        pytest.param(NO_PARTICULARS, "ep-2026", id="response:V62-others"),
    ],
)
def test_the_name_of_a_stealth_model(particulars: Particulars, stored: str) -> None:
    assert KINDS.kind_of("giga-potato").is_stealth
    assert stored_model("ep-2026", "giga-potato", particulars) == stored


@pytest.mark.parametrize(
    ("prompt", "hit", "warns"),
    [
        pytest.param(100_001, 0, True, id="response:V67-more"),
        pytest.param(100_000, 0, False, id="response:V67-as-many"),
        pytest.param(150_000, 50_000, False, id="response:V67-cached"),
    ],
)
def test_many_tokens_that_were_not_cached(prompt: int, hit: int, warns: bool) -> None:
    text = T1.replace(b'"prompt_tokens":14108', b'"prompt_tokens":%d' % prompt)
    told = stream([text.replace(b'"cached_tokens":13696', b'"cached_tokens":%d' % hit)])
    assert told.row["tokens"][0] == prompt
    assert ("many_uncached_tokens" in told.warnings) is warns


# Prompts

PARTS = [
    {"role": "system", "content": "A"},
    {"role": "developer", "content": [{"type": "text", "text": "B"}, {"type": "text", "text": "C"}]},
    {"role": "user", "content": "x" * 150},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "hi"},
            {"type": "text", "text": "there"},
            {"type": "image_url", "image_url": {"url": "data:,"}},
        ],
    },
]
ESTIMATED = [
    {"role": "user", "content": "abcd"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "abc"}, {"type": "text", "text": "defg"}, {"type": "image_url"}],
    },
]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        pytest.param(PARTS, PromptInfo("A\nB\nC", 5, "hi\nthere"), id="response:V68"),
        pytest.param(PARTS[:2], PromptInfo("A\nB\nC", 5, ""), id="response:V69"),
    ],
)
def test_prompts(messages: list[dict[str, Any]], told: PromptInfo) -> None:
    assert prompt_info({"messages": messages}, has_prefixes=True) == told


@pytest.mark.parametrize("tokens", [pytest.param(3.25, id="response:V70")])
def test_the_estimate_of_tokens(tokens: float) -> None:
    assert estimate_tokens({"messages": ESTIMATED}) == tokens


@pytest.mark.parametrize("value", [pytest.param("abc", id="response:V72")])
def test_a_latitude_that_is_no_number(value: str) -> None:
    assert leading_number(value) is None


# Books

Scenario = Callable[["World"], Awaitable[None]]


class World:
    """Books with one worker, Ann's and Acme's accounts."""

    def __init__(self, database: Database, url: str) -> None:
        self.database, self.url = database, url
        self.clock = Clock()
        self.books = SqlBooks(database, self.clock)

    async def settle(self, *outcomes: Outcome) -> None:
        await self.books.settle("w1", list(outcomes))

    async def spent(self, account: BudgetRef) -> int | None:
        statement = select(budgets.c.spent_microdollars).where(budgets.c.id == account.id)
        found: int | None = await self.database.read(lambda connection: connection.execute(statement).scalar())
        return found

    async def rows(self, table: Any = usage) -> int:
        statement = select(func.count()).select_from(table)
        found: int = await self.database.read(lambda connection: connection.execute(statement).scalar_one())
        return found


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("cost-rules") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path.read_bytes()


async def personal(world: World) -> None:
    await world.settle(outcome(a_hold("before", 0, worst_case=100_000), 100_000))
    await world.settle(outcome(a_hold("r1", 0, worst_case=10_000), 8304))
    row = await SqlUsage(world.database).find("r1")
    assert row
    assert (row.cost_microdollars, row.market_cost_microdollars, await world.spent(ANN)) == (8304, 8304, 108_304)


async def free(world: World) -> None:
    """Nobody pays, so nothing is told either: no notice waits."""
    gift = replace(outcome(a_hold("r1", 0), 0), basis=Basis.FREE, market_cost=Microdollars(105))
    await world.settle(gift)
    row = await SqlUsage(world.database).find("r1")
    assert row
    assert (row.cost_microdollars, row.market_cost_microdollars, await world.spent(ANN)) == (0, 105, 0)
    assert await SqlNotices(world.database, world.clock).take(10) == ()


async def own_key(world: World) -> None:
    await world.settle(replace(outcome(a_hold("r1", 0), 0), basis=Basis.BYOK, market_cost=Microdollars(8304)))
    row = await SqlUsage(world.database).find("r1")
    assert row
    assert (row.cost_microdollars, row.market_cost_microdollars, row.basis) == (0, 8304, "byok")


async def organization(world: World) -> None:
    member = record(organization_id="acme", key_id=None)
    await world.settle(outcome(a_hold("r1", 0, ACME, worst_case=10_000), 8304, record=member))
    assert await world.spent(ANN) is None
    assert (await world.spent(ACME), await world.spent(day_of_ann(None))) == (8304, 8304)
    details = await SqlUsage(world.database).details("r1")
    assert details
    assert (details.system_prefix, details.user_prefix) == (None, None)


async def nothing_today(world: World) -> None:
    member = record(organization_id="acme", key_id=None)
    assert await world.spent(day_of_ann(None)) is None
    await world.settle(outcome(a_hold("r1", 0, ACME), 0, record=member))
    assert await world.spent(day_of_ann(None)) == 0


async def midnight(world: World) -> None:
    member = record(organization_id="acme", key_id=None)
    for id_, at in (("r1", "2026-03-01T23:59:59Z"), ("r2", "2026-03-02T00:00:01Z")):
        hold = replace(a_hold(id_, 0, ACME, worst_case=10), usage_day=datetime.fromisoformat(at).date())
        await world.settle(outcome(hold, 10, record=member))
    days = [member_day("acme", "ann", date(2026, 3, day)) for day in (1, 2)]
    assert [await world.spent(day) for day in days] == [10, 10]


async def fails_twice(world: World) -> None:
    with CommitFault(world.database, 2, committed=False):
        await world.settle(outcome(a_hold("r1", 0, worst_case=10), 10))
    assert (await world.rows(), await world.spent(ANN)) == (1, 10)


async def answer_lost(world: World) -> None:
    with CommitFault(world.database, 1, committed=True):
        await world.settle(outcome(a_hold("r1", 0, worst_case=10), 10))
    assert (await world.rows(), await world.spent(ANN)) == (1, 10)


async def nul(world: World) -> None:
    prefix = storable("\0abc")
    kept = Particulars(user_prompt_prefix=prefix)
    await world.settle(outcome(a_hold("r1", 0), 0, record=record(particulars=kept)))
    details = await SqlUsage(world.database).details("r1")
    assert details
    assert details.user_prefix == "abc"


async def new_user_agent(world: World) -> None:
    kept = record(particulars=Particulars(encode_origin(Origin(user_agent="new"))))
    other = open_database(world.url)
    await asyncio.gather(
        world.settle(outcome(a_hold("r1", 0), 0, record=kept)),
        SqlBooks(other, world.clock).settle("w1", [outcome(a_hold("r2", 0), 0, record=kept)]),
    )
    await other.close()
    assert await world.rows(usage_origins) == 1
    found = [await SqlUsage(world.database).details(id_) for id_ in ("r1", "r2")]
    assert [one.user_agent for one in found if one] == ["new", "new"]


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(personal, id="response:V53"),
        pytest.param(free, id="response:V54"),
        pytest.param(own_key, id="response:V55"),
        pytest.param(organization, id="response:V59"),
        pytest.param(nothing_today, id="response:V60"),
        pytest.param(midnight, id="response:V61"),
        pytest.param(fails_twice, id="response:V63"),
        pytest.param(answer_lost, id="response:V64"),
        pytest.param(nul, id="response:V65"),
        pytest.param(new_user_agent, id="response:V66"),
    ],
)
def test_in_the_books(migrated: bytes, tmp_path: Path, scenario: Scenario) -> None:
    async def work() -> None:
        (tmp_path / "tollway.db").write_bytes(migrated)
        url = f"sqlite:///{tmp_path}/tollway.db"
        database = open_database(url)
        try:
            world = World(database, url)
            await world.books.enlist("w1", "here")
            await top_up(database, ACME, 1_000_000)
            await scenario(world)
            assert await verify_books(database) == []
        finally:
            await database.close()

    asyncio.run(work())
