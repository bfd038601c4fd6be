"""Vectors of response-path §16.10: the bonus of subscribers, first its rules, then in the books."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from contract.scenario import ACME
from contract.subscribers import PRICE, Subscriber
from tollway.billing.bonus import (
    Cadence,
    bonus_of,
    credit_expiry,
    effective_threshold,
    is_due,
    yearly_issue_month,
)
from tollway.billing.months import read_instant
from tollway.billing.subscriptions import Issued
from tollway.money import round_usd
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import open_database
from tollway.storage.sql.usage import SqlUsage
from unit.billing.subscriptions import RULES, subscription

EARLY = round_usd(RULES.early_award_usd)
MONTH = date(2026, 3, 1)
AFTER = datetime(2026, 6, 1, tzinfo=UTC)


def cutoff() -> datetime:
    instant = read_instant(RULES.first_months_until)
    assert instant
    return instant


@pytest.mark.parametrize(
    ("threshold", "effective"),
    [
        pytest.param(None, None, id="response:V148-null"),
        pytest.param(0, 0, id="response:V148-0"),
        pytest.param(500_000, 0, id="response:V148-half"),
        pytest.param(1_000_000, 0, id="response:V148-one"),
        pytest.param(1_200_000, 200_000, id="response:V148-more"),
        pytest.param(19_000_000, 18_000_000, id="response:V148-tier"),
    ],
)
def test_effective_thresholds(threshold: int | None, effective: int | None) -> None:
    assert effective_threshold(threshold, EARLY) == effective


@pytest.mark.parametrize(
    ("used", "triggers"),
    [
        pytest.param(17_999_999, False, id="response:V149-below"),
        pytest.param(18_000_000, True, id="response:V149-reached"),
    ],
)
def test_when_the_bonus_is_due(used: int, triggers: bool) -> None:
    assert is_due(effective_threshold(19_000_000, EARLY), used) is triggers


BEFORE_CUTOFF = cutoff() - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("tier", "streak", "is_first", "started", "amount"),
    [
        pytest.param("tier_19", 2, False, AFTER, 1_900_000, id="response:V150"),
        pytest.param("tier_19", 3, False, AFTER, 2_850_000, id="response:V151-3"),
        pytest.param("tier_19", 4, False, AFTER, 3_800_000, id="response:V151-4"),
        pytest.param("tier_19", 8, False, AFTER, 7_600_000, id="response:V151-8"),
        pytest.param("tier_19", 20, False, AFTER, 7_600_000, id="response:V151-20"),
        pytest.param("tier_49", 1, False, AFTER, 2_450_000, id="response:V152-1"),
        pytest.param("tier_49", 3, False, AFTER, 7_350_000, id="response:V152-3"),
        pytest.param("tier_49", 8, False, AFTER, 19_600_000, id="response:V152-8"),
        pytest.param("tier_199", 1, False, AFTER, 9_950_000, id="response:V153-1"),
        pytest.param("tier_199", 8, False, AFTER, 79_600_000, id="response:V153-8"),
        *(
            pytest.param(tier, streak, True, BEFORE_CUTOFF, amount, id=f"response:V154-{tier}-{streak}")
            for tier, amount in (("tier_19", 9_500_000), ("tier_49", 24_500_000), ("tier_199", 99_500_000))
            for streak in (1, 2)
        ),
        pytest.param("tier_19", 1, True, AFTER, 9_500_000, id="response:V155-1"),
        pytest.param("tier_19", 2, True, AFTER, 1_900_000, id="response:V155-2"),
        pytest.param("tier_19", 2, True, cutoff(), 1_900_000, id="response:V156"),
        pytest.param("tier_19", 0, False, AFTER, 950_000, id="response:V157"),
    ],
)
def test_monthly_amounts(tier: str, streak: int, is_first: bool, started: datetime, amount: int) -> None:
    one = subscription(tier=tier, streak_months=streak, started_at=started)
    bonus = bonus_of(one, is_first, MONTH, RULES)
    assert bonus
    assert bonus.amount == amount


@pytest.mark.parametrize("tier", [pytest.param("tier_49", id="response:V158-amount")])
def test_the_yearly_amount(tier: str) -> None:
    bonus = bonus_of(subscription(tier=tier, cadence=Cadence.YEARLY), True, MONTH, RULES)
    assert bonus
    assert (bonus.amount, bonus.percent) == (24_500_000, Decimal("0.5"))


@pytest.mark.parametrize(
    ("next_issue", "started", "month"),
    [
        pytest.param("2026-02-01", "", date(2026, 1, 1), id="response:V159"),
        pytest.param("2026-03-31", "", date(2026, 2, 1), id="response:V160"),
        pytest.param("", "2026-05-20", date(2026, 5, 1), id="response:V161"),
        pytest.param("garbage", "", None, id="response:V162-month"),
    ],
)
def test_the_month_of_a_yearly_subscription(next_issue: str, started: str, month: date | None) -> None:
    one = subscription(cadence=Cadence.YEARLY, next_issue_at=read_instant(next_issue), started_at=read_instant(started))
    assert yearly_issue_month(one) == month


@pytest.mark.parametrize(
    ("started", "month", "expiry"),
    [
        pytest.param("2026-01-31T10:00Z", date(2026, 2, 1), "2026-03-28T10:00Z", id="response:V163"),
        pytest.param("2026-01-15T09:30Z", date(2026, 3, 1), "2026-04-15T09:30Z", id="response:V164"),
        pytest.param("2026-03-05", date(2026, 2, 1), "", id="response:V165"),
    ],
)
def test_when_a_monthly_bonus_expires(started: str, month: date, expiry: str) -> None:
    assert credit_expiry(subscription(started_at=read_instant(started)), month) == read_instant(expiry)


Scenario = Callable[[Subscriber], Awaitable[None]]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("bonus") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def play(migrated: bytes, tmp_path: Path) -> Callable[[Scenario], None]:
    def run(scenario: Scenario) -> None:
        async def work() -> None:
            (tmp_path / "tollway.db").write_bytes(migrated)
            database = open_database(f"sqlite:///{tmp_path}/tollway.db")
            try:
                ann = Subscriber(database)
                await ann.begin()
                await scenario(ann)
                assert await verify_books(database) == []
            finally:
                await database.close()

        asyncio.run(work())

    return run


async def yearly(ann: Subscriber) -> None:
    """The kind of item is the same as for a monthly one, and so is what is said of it."""
    await ann.subscribe(cadence=Cadence.YEARLY, tier="tier_49", next_issue_at=datetime(2026, 4, 1, tzinfo=UTC))
    assert await ann.pay() is Issued.DONE
    await ann.use(48_000_000)
    await ann.handle()
    assert await ann.items() == [("base", 49_000_000), ("bonus", 24_500_000)]
    assert await ann.bonuses() == [(24_500_000, True, "kilo-pass-bonus")]
    assert (await ann.events())[-1][2] == {
        "kind": "bonus",
        "baseAmountUsd": 49.0,
        "bonusPercentApplied": 0.5,
        "bonusAmountUsd": 24.5,
        "creditCategory": "kilo-pass-bonus",
    }


async def without_a_month(ann: Subscriber) -> None:
    await ann.subscribe(id="yearly", cadence=Cadence.YEARLY, next_issue_at=read_instant("garbage"), started_at=None)
    await ann.pay("yearly")
    await ann.use(PRICE)
    await ann.handle()
    assert (await ann.bonuses(), await ann.due()) == ([], None)


async def twenty_at_once(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.use(PRICE)
    issued = await asyncio.gather(*(ann.store.issue_bonus("ann", ann.rules) for _ in range(20)))
    assert sorted(issued) == [Issued.DONE, *[Issued.NOT_DUE] * 19]
    assert (len(await ann.bonuses()), len(await ann.items()), await ann.due()) == (1, 2, None)


async def earlier_promotion(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.has_item("promo_first_month_50pct")
    await ann.use(PRICE)
    await ann.handle()
    assert (await ann.due(), [row for row in await ann.bonuses() if row[2] == "kilo-pass-bonus"]) == (None, [])
    assert (await ann.events())[-1] == (
        "bonus_credits_skipped_idempotent",
        "skipped_idempotent",
        {"reason": "existing_promo_item"},
    )


async def unpaid_month(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.begins_month(date(2026, 4, 1))
    await ann.use(PRICE)
    await ann.handle()
    assert (await ann.bonuses(), await ann.due()) == ([], None)


async def older_one_is_active(ann: Subscriber) -> None:
    await ann.subscribe(id="old", started_at=AFTER - timedelta(days=90))
    await ann.subscribe(id="new", status="canceled", started_at=AFTER)
    await ann.pay("old")
    await ann.use(PRICE)
    await ann.handle()
    assert await ann.bonuses() == [(950_000, True, "kilo-pass-bonus")]  # not the first one: no promotion


async def past_due(ann: Subscriber) -> None:
    await ann.subscribe(status="past_due")
    await ann.pay()
    await ann.use(PRICE)
    await ann.handle()
    assert (await ann.bonuses(), await ann.due()) == ([], None)


async def failure(ann: Subscriber) -> None:
    """The account cannot hold the bonus: beyond 64 bits."""
    await ann.subscribe()
    await ann.pay()
    await ann.credit(2**63 - 1 - PRICE)
    request = await ann.use(PRICE)
    await ann.handle()
    action, result, payload = (await ann.events())[-1]
    assert (action, result, payload["source"]) == ("bonus_credits_issued", "failed", "usage_threshold")
    row = await SqlUsage(ann.database).find(request)
    assert row
    assert row.cost_microdollars == PRICE
    assert (await ann.due(), await ann.items()) == (18_000_000, [("base", PRICE)])


async def others_pay(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.use(2 * PRICE, ACME)
    await ann.use(0)
    assert await ann.handle() == 0
    assert (await ann.bonuses(), await ann.due()) == ([], 18_000_000)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(yearly, id="response:V158"),
        pytest.param(without_a_month, id="response:V162"),
        pytest.param(twenty_at_once, id="response:V166"),
        pytest.param(earlier_promotion, id="response:V167"),
        pytest.param(unpaid_month, id="response:V168"),
        pytest.param(older_one_is_active, id="response:V169"),
        pytest.param(past_due, id="response:V170"),
        pytest.param(failure, id="response:V171"),
        pytest.param(others_pay, id="response:V172"),
    ],
)
def test_in_the_books(play: Callable[[Scenario], None], scenario: Scenario) -> None:
    play(scenario)
