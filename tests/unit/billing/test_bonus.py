from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.bonus import (
    Cadence,
    bonus_of,
    choose_subscription,
    credit_expiry,
    effective_threshold,
    is_due,
    yearly_issue_month,
)
from tollway.catalog.preset import SubscriptionRules
from unit.billing.subscriptions import MARCH, RULES, subscription

DAY = timedelta(days=1)
MONTH = date(2026, 3, 1)


def test_the_status_counts_before_the_start() -> None:
    """One of each rank, the better the older: whatever the order they come in, the best is taken."""
    ranked = [
        ("active", False),
        ("active", True),
        ("trialing", False),
        ("past_due", False),
        ("paused", False),
        ("incomplete", False),
        ("unpaid", False),
        ("who knows", False),
    ]
    all_ = [
        subscription(id=str(place), status=status, is_cancelling=cancels, started_at=MARCH + place * DAY)
        for place, (status, cancels) in enumerate(ranked)
    ]
    for best in range(len(all_)):
        found = choose_subscription(reversed(all_[best:]))
        assert found
        assert found.id == str(best)
    assert choose_subscription([]) is None


def test_of_the_same_status_the_last_one_counts() -> None:
    """One that never started counts from when it was made."""
    old = subscription(id="old")
    made = subscription(id="made", started_at=None, created_at=MARCH + DAY)
    late = subscription(id="late", started_at=MARCH + 2 * DAY, created_at=MARCH - DAY)
    for order in permutations([old, made, late]):
        found = choose_subscription(order)
        assert found
        assert found.id == "late"
    assert choose_subscription([old, made]) is made


@given(st.integers(0, 10**9), st.integers(0, 10**7), st.integers(0, 10**9))
def test_the_bonus_comes_early_by_as_much_as_is_said(threshold: int, early: int, used: int) -> None:
    effective = effective_threshold(threshold, early)
    assert effective is not None
    assert is_due(effective, used) is (used >= threshold - early)
    assert not is_due(effective_threshold(None, early), used)


@given(st.integers(0, 100), st.booleans(), st.sampled_from(list(Cadence)))
def test_the_longer_the_streak_the_larger_the_bonus(streak: int, is_first: bool, cadence: Cadence) -> None:
    """Except for the first months of a first subscription; never more than half, never less than a twentieth."""
    one = subscription(streak_months=streak, cadence=cadence)
    now, later = (
        bonus_of(subscription(streak_months=months, cadence=cadence), is_first, MONTH, RULES)
        for months in (streak, streak + 1)
    )
    assert now
    assert later
    assert Decimal("0.05") <= now.percent <= Decimal("0.5")
    assert now.amount == now.base * now.percent
    assert now.percent <= later.percent or now.is_first_months
    assert now.is_first_months is (cadence is Cadence.MONTHLY and is_first and one.streak_months <= 2)


def test_cents_are_rounded_half_up() -> None:
    rules = SubscriptionRules(tiers={"odd": Decimal("0.10")}, percent=Decimal("0.05"), percent_max=Decimal("0.05"))
    bonus = bonus_of(subscription(tier="odd"), False, MONTH, rules)
    assert bonus
    assert (bonus.base, bonus.amount) == (100_000, 10_000)


def test_a_tier_nobody_knows_gets_nothing() -> None:
    assert bonus_of(subscription(tier="gone"), True, MONTH, RULES) is None


@pytest.mark.parametrize(
    ("changes", "is_first", "text"),
    [
        ({"cadence": Cadence.YEARLY}, True, "Kilo Pass yearly monthly bonus (tier_19, 2026-03-01)"),
        ({"streak_months": 2}, True, "Kilo Pass promo 50% bonus (tier_19, streak=2)"),
        ({"streak_months": 0}, False, "Kilo Pass monthly bonus (tier_19, streak=1)"),
    ],
)
def test_descriptions(changes: dict, is_first: bool, text: str) -> None:
    bonus = bonus_of(subscription(**changes), is_first, MONTH, RULES)
    assert bonus
    assert bonus.description == text


@pytest.mark.parametrize("until", ["", "garbage"])
def test_without_a_date_only_the_first_month_is_special(until: str) -> None:
    rules = SubscriptionRules(
        tiers={"t": Decimal(10)}, percent_max=Decimal(1), first_months_percent=Decimal("0.5"), first_months_until=until
    )
    for streak, is_special in ((1, True), (2, False)):
        bonus = bonus_of(subscription(tier="t", streak_months=streak), True, MONTH, rules)
        assert bonus
        assert bonus.is_first_months is is_special


def test_a_yearly_bonus_lasts_until_the_next_issue() -> None:
    next_issue = datetime(2026, 4, 15, tzinfo=UTC)
    yearly = subscription(cadence=Cadence.YEARLY, next_issue_at=next_issue)
    assert credit_expiry(yearly, MONTH) == next_issue
    assert credit_expiry(subscription(cadence=Cadence.YEARLY), MONTH) is None
    assert credit_expiry(subscription(started_at=None), MONTH) is None


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 400),
)
def test_a_monthly_bonus_expires_in_the_month_after_its_own(started: datetime, months: int) -> None:
    """Also after years, where months of thirty days would be wrong."""
    year, month = divmod(started.year * 12 + started.month - 1 + months, 12)
    expiry = credit_expiry(subscription(started_at=started), date(year, month + 1, 1))
    assert expiry
    assert (expiry.year * 12 + expiry.month) - (year * 12 + month + 1) == 1


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_a_yearly_subscription_is_in_the_month_before_its_next_issue(next_issue: datetime) -> None:
    month = yearly_issue_month(subscription(cadence=Cadence.YEARLY, next_issue_at=next_issue))
    assert month
    assert month.day == 1
    assert (next_issue.year * 12 + next_issue.month) - (month.year * 12 + month.month) == 1
