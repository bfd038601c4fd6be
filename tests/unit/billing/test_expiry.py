from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.expiry import ExpiringCredit, expire
from tollway.money import Microdollars

START = datetime(2026, 1, 1, tzinfo=UTC)
CREDITS = st.lists(
    st.builds(
        lambda amount, baseline, day: (amount, baseline, day),
        st.integers(1, 1_000),
        st.integers(0, 1_000),
        st.integers(1, 30),
    ),
    max_size=6,
).map(
    lambda rows: [
        ExpiringCredit(str(place), Microdollars(amount), baseline, START + timedelta(days=day))
        for place, (amount, baseline, day) in enumerate(rows)
    ]
)


@given(CREDITS, st.integers(0, 3_000), st.integers(0, 31))
def test_no_more_is_taken_back_than_was_given(credits_: list[ExpiringCredit], used: int, day: int) -> None:
    now = START + timedelta(days=day)
    expired = expire(credits_, used, now)
    assert set(expired.left) == {one.id for one in credits_ if one.expires_at <= now}
    amounts = {one.id: one.amount for one in credits_}
    assert all(0 <= left <= amounts[id_] for id_, left in expired.left.items())
    assert expired.total == sum(expired.left.values())


@given(CREDITS, st.integers(0, 3_000), st.integers(0, 31))
def test_baselines_only_rise(credits_: list[ExpiringCredit], used: int, day: int) -> None:
    expired = expire(credits_, used, START + timedelta(days=day))
    before = {one.id: one.baseline for one in credits_}
    assert all(baseline > before[id_] for id_, baseline in expired.baselines.items())


@given(CREDITS, st.integers(0, 3_000), st.randoms(use_true_random=False))
def test_the_order_they_come_in_does_not_matter(credits_: list[ExpiringCredit], used: int, dice: object) -> None:
    shuffled = list(credits_)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    now = START + timedelta(days=15)
    assert expire(shuffled, used, now) == expire(credits_, used, now)


@given(CREDITS, st.integers(0, 3_000), st.integers(0, 31))
def test_in_two_steps_as_in_one(credits_: list[ExpiringCredit], used: int, day: int) -> None:
    """What has expired is over; what has not goes on with its new baseline."""
    first = expire(credits_, used, START + timedelta(days=day))
    rest = [
        ExpiringCredit(one.id, one.amount, first.baselines.get(one.id, one.baseline), one.expires_at)
        for one in credits_
        if one.id not in first.left
    ]
    second = expire(rest, used, START + timedelta(days=31))
    assert first.left | second.left == expire(credits_, used, START + timedelta(days=31)).left


def test_nothing_expires_before_its_time() -> None:
    credit = ExpiringCredit("a", Microdollars(5), 0, START)
    assert expire([credit], 0, START - timedelta(microseconds=1)).left == {}
    assert expire([credit], 0, START).left == {"a": 5}
