import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tollway.admin.credits import Owner, show_balance
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import AccountBalance, Page
from tollway.admin.subscription_records import PaidPeriod, StoredSubscription, SubscriptionDetails
from tollway.admin.subscriptions import (
    Counter,
    NewSubscription,
    Payment,
    Wish,
    cancel_subscription,
    change_subscription,
    end_subscription,
    list_subscriptions,
    record_payment,
    resume_subscription,
    show_subscription,
    start_subscription,
)
from tollway.admin.users import NewUser, block_user, create_user, delete_user
from tollway.billing.bonus import Cadence
from tollway.catalog.preset import SubscriptionRules
from tollway.errors import Code, Problem
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.books import verify_books
from unit.billing.subscriptions import RULES

ORDER = NewSubscription("ann@example.com", "tier_19", "sub_1")
PRICE = 19_000_000


@pytest.fixture
def counter(store: SqlAdmin, now: datetime) -> Counter:
    return Counter(store, RULES, OPERATOR, now)


def run(counter: Counter, scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await create_user(counter.store, NewUser("ann@example.com"), counter.now)
        await scenario()
        assert await verify_books(counter.store._database) == []  # type: ignore[attr-defined]

    asyncio.run(whole())


def code(result: object) -> Code:
    assert isinstance(result, Problem), result
    return result.code


async def started(counter: Counter, order: NewSubscription = ORDER) -> StoredSubscription:
    made = await start_subscription(counter, order)
    assert isinstance(made, StoredSubscription), made
    return made


async def paid(counter: Counter, payment_id: str, **more: Any) -> PaidPeriod:
    done = await record_payment(counter, "sub_1", Payment(payment_id, **more))
    assert isinstance(done, PaidPeriod), done
    return done


async def credited(counter: Counter) -> int:
    balance = await show_balance(counter.store, Owner("ann@example.com"))
    assert isinstance(balance, AccountBalance)
    return balance.credited_microdollars


def test_a_payment_credits_its_month_once(counter: Counter) -> None:
    async def scenario() -> None:
        one = await started(counter)
        assert (one.status, one.paid_until, one.streak_months) == ("incomplete", None, 0)
        first = await paid(counter, "in_1")
        again = await paid(counter, "in_1")
        assert (first.is_repeat, again.is_repeat) == (False, True)
        assert replace(again, is_repeat=False) == first
        assert (first.month, first.amount_microdollars) == (date(2026, 3, 1), PRICE)
        after = first.subscription
        assert (after.status, after.streak_months, after.paid_until) == ("active", 1, counter.now.replace(month=4))
        assert await credited(counter) == PRICE
        next_ = await paid(replace(counter, now=counter.now.replace(month=4)), "in_2")
        assert (next_.month, next_.subscription.streak_months, await credited(counter)) == (
            date(2026, 4, 1),
            2,
            2 * PRICE,
        )

    run(counter, scenario)


def test_what_was_done_is_told_with_who_did_it(counter: Counter) -> None:
    async def scenario() -> None:
        one = await started(counter)
        await paid(counter, "in_1")
        await change_subscription(counter, one.id, Wish(tier="tier_49"))
        await change_subscription(counter, one.id, Wish(tier="tier_49"))  # nothing is different
        await cancel_subscription(counter, one.id)
        await resume_subscription(counter, one.id)
        await end_subscription(counter, one.id)
        await end_subscription(counter, one.id)
        shown = await show_subscription(counter.store, "sub_1")
        assert isinstance(shown, SubscriptionDetails)
        assert sorted(event.action for event in shown.events) == [
            "base_credits_issued",
            "subscription_cancelled",
            "subscription_changed",
            "subscription_ended",
            "subscription_resumed",
            "subscription_started",
        ]
        assert {event.payload["actor"] for event in shown.events} == {"operator"}
        ((month),) = shown.months
        assert (month.month, month.payment_id, month.base_microdollars, month.bonus_microdollars) == (
            date(2026, 3, 1),
            "in_1",
            PRICE,
            None,
        )
        assert await list_subscriptions(counter.store, Page(), "ann@example.com") == (shown.subscription,)
        assert await list_subscriptions(counter.store, Page()) == (shown.subscription,)

    run(counter, scenario)


def test_a_month_may_be_named(counter: Counter) -> None:
    async def scenario() -> None:
        await started(counter, replace(ORDER, started_at=counter.now - timedelta(days=90), streak_months=4))
        late = await paid(counter, "in_1", month=date(2026, 1, 17))
        assert (late.month, late.subscription.streak_months) == (date(2026, 1, 1), 5)
        refused = await record_payment(counter, "sub_1", Payment("in_2", month=date(2026, 1, 1)))
        assert code(refused) is Code.CONFLICT
        before = await record_payment(counter, "sub_1", Payment("in_2", month=date(2025, 1, 1)))
        assert code(before) is Code.BAD_REQUEST
        assert await credited(counter) == PRICE

    run(counter, scenario)


def test_a_payment_is_of_one_subscription(counter: Counter) -> None:
    async def scenario() -> None:
        await started(counter)
        await started(counter, replace(ORDER, external_id="sub_2"))
        await paid(counter, "in_1")
        assert code(await record_payment(counter, "sub_2", Payment("in_1"))) is Code.CONFLICT
        assert await credited(counter) == PRICE

    run(counter, scenario)


def test_cancelling_waits_for_the_end_of_what_was_paid(counter: Counter) -> None:
    async def scenario() -> None:
        await started(counter)
        await paid(counter, "in_1")
        cancelled = await cancel_subscription(counter, "sub_1")
        assert isinstance(cancelled, StoredSubscription)
        assert (cancelled.is_cancelling, cancelled.ended_at, cancelled.status) == (True, None, "active")
        assert await cancel_subscription(counter, "sub_1") == cancelled
        resumed = await resume_subscription(counter, "sub_1")
        assert isinstance(resumed, StoredSubscription)
        assert resumed.is_cancelling is False
        ended = await end_subscription(counter, "sub_1")
        assert isinstance(ended, StoredSubscription)
        assert (ended.status, ended.ended_at) == ("canceled", counter.now)
        assert code(await resume_subscription(counter, "sub_1")) is Code.CONFLICT
        assert code(await record_payment(counter, "sub_1", Payment("in_2"))) is Code.CONFLICT
        assert await cancel_subscription(counter, "sub_1") == ended

    run(counter, scenario)


def test_what_was_never_paid_ends_when_it_is_cancelled(counter: Counter) -> None:
    async def scenario() -> None:
        await started(counter)
        ended = await cancel_subscription(counter, "sub_1")
        assert isinstance(ended, StoredSubscription)
        assert (ended.status, ended.ended_at) == ("canceled", counter.now)

    run(counter, scenario)


@pytest.mark.parametrize(
    ("order", "refused"),
    [
        (replace(ORDER, tier="tier_20"), Code.BAD_REQUEST),
        (replace(ORDER, external_id=" "), Code.BAD_REQUEST),
        (replace(ORDER, streak_months=-1), Code.BAD_REQUEST),
        (replace(ORDER, started_at=datetime.fromisoformat("2099-01-01T00:00:00Z")), Code.BAD_REQUEST),
        (replace(ORDER, user="who"), Code.NOT_FOUND),
        (ORDER, Code.CONFLICT),  # once more
    ],
)
def test_what_cannot_be_started(counter: Counter, order: NewSubscription, refused: Code) -> None:
    async def scenario() -> None:
        await started(counter)
        assert code(await start_subscription(counter, order)) is refused
        assert len(await list_subscriptions(counter.store, Page())) == 1  # type: ignore[arg-type]

    run(counter, scenario)


def test_nobody_subscribes_who_is_blocked_or_where_there_are_no_tiers(counter: Counter) -> None:
    async def scenario() -> None:
        without = replace(counter, rules=SubscriptionRules())
        refused = await start_subscription(without, ORDER)
        assert isinstance(refused, Problem)
        assert refused.shown
        assert "[subscriptions]" in refused.shown
        await block_user(counter.store, "ann@example.com", "fraud", counter.now)
        assert code(await start_subscription(counter, ORDER)) is Code.CONFLICT

    run(counter, scenario)


@pytest.mark.parametrize(
    ("payment", "refused"),
    [
        (Payment(""), Code.BAD_REQUEST),
        (Payment("in_1", datetime.fromisoformat("2099-01-01T00:00:00Z")), Code.BAD_REQUEST),
        (Payment("in_1", month=date(9999, 12, 1)), Code.BAD_REQUEST),
    ],
)
def test_what_is_no_payment(counter: Counter, payment: Payment, refused: Code) -> None:
    async def scenario() -> None:
        await started(counter)
        assert code(await record_payment(counter, "sub_1", payment)) is refused
        assert await credited(counter) == 0

    run(counter, scenario)


def test_a_tier_that_is_gone_and_a_yearly_month(counter: Counter) -> None:
    async def scenario() -> None:
        await started(counter, replace(ORDER, cadence=Cadence.YEARLY))
        assert code(await record_payment(counter, "sub_1", Payment("in_1", month=date(2026, 3, 1)))) is Code.BAD_REQUEST
        gone = replace(counter, rules=SubscriptionRules())
        assert code(await record_payment(gone, "sub_1", Payment("in_1"))) is Code.CONFLICT
        assert await credited(counter) == 0

    run(counter, scenario)


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(tier="tier_20"), Wish(status="canceled"), Wish(status="fine"), Wish(streak_months=9_999)]
)
def test_what_cannot_be_changed(counter: Counter, wish: Wish) -> None:
    async def scenario() -> None:
        await started(counter)
        assert code(await change_subscription(counter, "sub_1", wish)) is Code.BAD_REQUEST

    run(counter, scenario)


def test_an_unknown_subscription_is_not_found(counter: Counter) -> None:
    async def scenario() -> None:
        results: list[object] = [
            await record_payment(counter, "who", Payment("in_1")),
            await change_subscription(counter, "who", Wish(status="paused")),
            await cancel_subscription(counter, "who"),
            await resume_subscription(counter, "who"),
            await end_subscription(counter, "who"),
            await show_subscription(counter.store, "\0"),
            await list_subscriptions(counter.store, Page(), "who"),
        ]
        assert {code(one) for one in results} == {Code.NOT_FOUND}
        assert code(await list_subscriptions(counter.store, Page(0))) is Code.BAD_REQUEST

    run(counter, scenario)


def test_an_account_is_deleted_once_its_subscription_ends(counter: Counter) -> None:
    async def scenario() -> None:
        await started(counter)
        await paid(counter, "in_1")
        assert code(await delete_user(counter.store, "ann@example.com", counter.now)) is Code.CONFLICT
        await cancel_subscription(counter, "sub_1")
        assert not isinstance(await delete_user(counter.store, "ann@example.com", counter.now), Problem)

    run(counter, scenario)
