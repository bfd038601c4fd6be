"""Vectors of response-path §16.9: balances, the alert of organizations, the text of a 402, credits that expire."""

from datetime import UTC, datetime

import pytest

from tollway.billing.expiry import ExpiringCredit, expire
from tollway.money import Microdollars

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
