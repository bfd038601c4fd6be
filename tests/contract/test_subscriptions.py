"""Subscribers' credits and bonuses, on both databases."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from contract.commit_fault import CommitFault
from contract.scenario import ACME, ANN, START
from contract.subscribers import MARCH, PRICE, Subscriber
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import CreditTransaction, User
from tollway.admin.subscription_records import PaidPeriod, StoredSubscription
from tollway.admin.subscriptions import (
    Counter,
    NewSubscription,
    Payment,
    cancel_subscription,
    end_subscription,
    record_payment,
    start_subscription,
)
from tollway.billing.bonus import Cadence
from tollway.billing.subscriptions import Issued, Month
from tollway.catalog.preset import SubscriptionRules
from tollway.errors import Code, Problem
from tollway.storage.sql import subscriptions as subscription_rows
from tollway.storage.sql.accounting_tables import subscription_issuances, subscriptions
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import credit_transactions

BONUS = "kilo-pass-bonus"


@pytest.fixture
def ann(database: Database) -> Subscriber:
    one = Subscriber(database)
    asyncio.run(one.begin())
    return one


async def test_what_is_paid_is_credited_once(ann: Subscriber) -> None:
    """And the bonus is due a dollar before it is used."""
    await ann.use(500)
    await ann.subscribe()
    assert await ann.pay() is Issued.DONE
    assert await ann.pay() is Issued.NOTHING
    assert (await ann.books.balance(ANN), await ann.due()) == (PRICE - 500, 500 + PRICE - 1_000_000)
    assert await ann.items() == [("base", PRICE)]


async def test_nobody_else_pays_with_that_invoice(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.subscribe(id="s2")
    await ann.pay()
    with pytest.raises(ValueError, match="another month"):
        await ann.pay("s2")
    assert await ann.items() == [("base", PRICE)]


async def test_a_subscription_or_a_tier_that_is_not_known(ann: Subscriber) -> None:
    await ann.subscribe(tier="gone")
    assert await ann.pay() is Issued.NOTHING
    assert await ann.pay("nobody") is Issued.NOTHING


async def test_the_provider_changes_what_it_says(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.subscribe(status="past_due", streak_months=3)
    columns = (subscriptions.c.id, subscriptions.c.status, subscriptions.c.streak_months)
    rows = await ann.database.read(lambda connection: connection.execute(select(*columns)).all())
    assert rows == [("s1", "past_due", 3)]


async def test_the_bonus_comes_with_the_use(ann: Subscriber) -> None:
    """Just below nothing happens; what reaches it brings the bonus, which expires and counts from there."""
    await ann.subscribe(streak_months=3)
    await ann.subscribe(id="earlier", status="canceled")
    await ann.pay()
    await ann.use(17_999_999)
    assert (await ann.handle(), await ann.bonuses()) == (0, [])
    await ann.use(1)
    assert (await ann.handle(), await ann.bonuses()) == (1, [(2_850_000, True, BONUS)])
    assert (await ann.handle(), await ann.due()) == (0, None)
    table = credit_transactions.c
    columns = (table.expiry_date, table.expiration_baseline_microdollars, table.original_baseline_microdollars)
    statement = select(*columns).where(table.credit_category == BONUS)
    rows = await ann.database.read(lambda connection: connection.execute(statement).all())
    assert rows == [(datetime(2026, 4, 1, tzinfo=UTC), 18_000_000, 18_000_000)]
    await ann.use(PRICE)
    assert (await ann.handle(), len(await ann.bonuses())) == (0, 1)


async def test_every_month_has_its_bonus(ann: Subscriber) -> None:
    await ann.subscribe()
    for month in (3, 4):
        await ann.pay(month=Month(date(2026, month, 1), f"invoice-{month}"))
        await ann.use(PRICE)
        await ann.handle()
    assert [amount for amount, _, _ in await ann.bonuses()] == [9_500_000, 9_500_000]
    assert await ann.months() == [date(2026, 3, 1), date(2026, 4, 1)]


async def test_a_yearly_month_begins_by_itself_but_must_be_paid(ann: Subscriber) -> None:
    """The row of the month is made when it is looked for; without a base it brings nothing."""
    await ann.subscribe(cadence=Cadence.YEARLY, next_issue_at=datetime(2026, 5, 1, tzinfo=UTC))
    await ann.pay()
    await ann.use(PRICE)
    await ann.handle()
    assert (await ann.bonuses(), await ann.months()) == ([], [date(2026, 3, 1), date(2026, 4, 1)])


async def test_what_is_stuck_keeps_nobody_waiting(ann: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_rows, "_DUE", subscription_rows._DUE.limit(2))
    due, until = datetime(2026, 2, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    tiers = ("gone", "gone", "gone", "tier_19")
    for number, tier in enumerate(tiers):
        await ann.subscribe(id=f"s{number}", tier=tier, cadence=Cadence.YEARLY, next_issue_at=due)
    paid = update(subscriptions).values(paid_until=until)
    await ann.database.write(lambda connection: connection.execute(paid) and None)
    assert await ann.store.advance(ann.rules) == ("s0", "s1", "s2")
    assert len(await ann.items()) == 2  # of February and March


async def test_several_requests_bring_one_notice(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.use(PRICE)
    await ann.use(PRICE)
    assert await ann.handle() == 1


async def test_workers_at_the_same_time_bring_one_bonus(ann: Subscriber, connect) -> None:
    others = [Subscriber(connect()) for _ in range(3)]
    await ann.subscribe()
    await ann.pay()
    await ann.use(PRICE)
    issued = await asyncio.gather(*(one.store.issue_bonus("ann", one.rules) for one in others for _ in range(5)))
    assert sorted(issued) == [Issued.DONE, *[Issued.NOT_DUE] * 14]
    assert len(await ann.bonuses()) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_credits_once(ann: Subscriber, committed: bool) -> None:
    await ann.subscribe()
    with CommitFault(ann.database, 1, committed=committed):
        await ann.pay()
    await ann.use(PRICE)
    with CommitFault(ann.database, 1, committed=committed):
        await ann.store.issue_bonus("ann", ann.rules)
    assert await ann.items() == [("base", PRICE), ("bonus", 9_500_000)]


async def test_a_failure_is_noted_and_tried_with_the_next_use(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.credit(2**63 - 1 - PRICE)
    await ann.use(PRICE)
    assert (await ann.handle(), await ann.bonuses()) == (1, [(2**63 - 1 - PRICE, True, None)])
    assert [event[:2] for event in await ann.events()] == [
        ("base_credits_issued", "success"),
        ("bonus_credits_issued", "failed"),
    ]
    assert await ann.handle() == 0
    await ann.use(1)
    assert await ann.handle() == 1


async def test_use_of_organizations_and_free_use_do_not_count(ann: Subscriber) -> None:
    await ann.subscribe()
    await ann.pay()
    await ann.use(2 * PRICE, ACME)
    await ann.use(0)
    assert (await ann.handle(), await ann.due()) == (0, PRICE - 1_000_000)


async def test_a_month_is_named_by_its_first_day(ann: Subscriber) -> None:
    await ann.subscribe()
    row = {
        "id": "x",
        "subscription_id": "s1",
        "month": MARCH.first_day + timedelta(days=1),
        "source": "schedule",
        "created_at": START,
    }
    with pytest.raises(IntegrityError):
        await ann.database.write(lambda connection: connection.execute(subscription_issuances.insert(), row))


def counter(one: Subscriber) -> Counter:
    return Counter(SqlAdmin(one.database), one.rules, OPERATOR, one.clock.now)


async def starts(one: Subscriber, cadence: Cadence = Cadence.MONTHLY) -> str:
    await SqlAdmin(one.database).add_user(User("ann", "ann@example.com", "", None, START), "pepper")
    made = await start_subscription(counter(one), NewSubscription("ann", "tier_19", "sub", cadence))
    assert isinstance(made, StoredSubscription), made
    return made.id


async def pays(one: Subscriber, payment_id: str = "in_1") -> PaidPeriod | Problem:
    return await record_payment(counter(one), "sub", Payment(payment_id))


async def test_payments_at_the_same_time_are_booked_once(ann: Subscriber, connect) -> None:
    await starts(ann)
    others = [Subscriber(connect()) for _ in range(3)]
    done = await asyncio.gather(*(pays(one) for one in others for _ in range(4)))
    assert sorted(one.is_repeat for one in done) == [False, *[True] * 11]
    assert (await ann.books.balance(ANN), await ann.items()) == (PRICE, [("base", PRICE)])
    assert await verify_books(ann.database) == []


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_is_no_second_payment(ann: Subscriber, committed: bool) -> None:
    await starts(ann)
    with CommitFault(ann.database, 1, committed=committed):
        done = await pays(ann)
    assert isinstance(done, PaidPeriod)
    assert (done.is_repeat, done.subscription.streak_months) == (False, 1)
    assert await ann.items() == [("base", PRICE)]


async def test_a_payment_of_something_else_pays_no_month(ann: Subscriber) -> None:
    await starts(ann)
    credit = CreditTransaction("c", "ann", None, 5, False, None, None, None, START, "in_1")
    await SqlAdmin(ann.database).add_credit(ANN, credit)
    refused = await pays(ann)
    assert isinstance(refused, Problem)
    assert (refused.code, await ann.months()) == (Code.CONFLICT, [])


async def test_the_months_of_a_year_are_credited_as_they_begin(ann: Subscriber) -> None:
    """Each with its bonus once it is used; twelve and no more; a worker that was off catches up."""
    subscription_id = await starts(ann, Cadence.YEARLY)
    await pays(ann)
    assert await ann.store.advance(ann.rules) == ()
    await ann.use(PRICE)
    await ann.handle()
    assert await ann.bonuses() == [(9_500_000, True, BONUS)]
    ann.clock.now = START.replace(month=4)
    await asyncio.gather(*(ann.store.advance(ann.rules) for _ in range(4)))
    assert (len(await ann.items()), await ann.due()) == (3, 2 * PRICE - 1_000_000)
    await ann.use(PRICE)
    await ann.handle()
    assert len(await ann.bonuses()) == 2
    ann.clock.now = START.replace(year=2028)
    await ann.store.advance(ann.rules)
    assert await ann.months() == [date(2026 + month // 12, month % 12 + 1, 1) for month in range(2, 14)]
    assert [amount for kind, amount in await ann.items() if kind == "base"] == [PRICE] * 12
    details = await SqlAdmin(ann.database).find_subscription(subscription_id)
    assert details
    assert (details.streak_months, details.next_issue_at) == (12, details.paid_until)
    assert await verify_books(ann.database) == []


async def test_a_month_whose_tier_is_gone_is_told_and_waits(ann: Subscriber) -> None:
    subscription_id = await starts(ann, Cadence.YEARLY)
    await pays(ann)
    ann.clock.now = START.replace(month=4)
    assert await ann.store.advance(SubscriptionRules()) == (subscription_id,)
    assert await ann.store.advance(ann.rules) == ()
    assert len(await ann.months()) == 2


async def test_what_was_cancelled_ends_with_what_was_paid(ann: Subscriber) -> None:
    """And the wait for its bonus with it, so that the account may be topped up again."""
    await starts(ann)
    await pays(ann)
    await cancel_subscription(counter(ann), "sub")
    await ann.store.advance(ann.rules)
    assert await ann.due() is not None
    ann.clock.now = START.replace(month=5)
    await ann.store.advance(ann.rules)
    await ann.store.advance(ann.rules)
    ended = await SqlAdmin(ann.database).find_subscription("sub")
    assert ended
    assert (ended.status, ended.ended_at, await ann.due()) == ("canceled", START.replace(month=4), None)
    assert [event[0] for event in await ann.events()].count("subscription_ended") == 1


async def test_another_subscription_keeps_waiting_for_its_bonus(ann: Subscriber) -> None:
    await starts(ann)
    await pays(ann)
    await ann.subscribe(id="other")
    await end_subscription(counter(ann), "sub")
    assert await ann.due() == PRICE - 1_000_000
