from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.notices import Alert, TopUpRules, falls_below, pause_after, read_alert, top_up_rules
from tollway.money import Microdollars
from tollway.settings import NoticeSettings

FIVE = Microdollars(5_000_000)


@pytest.mark.parametrize(
    ("settings", "alert"),
    [
        (
            {"minimum_balance": 5, "minimum_balance_alert_email": ["a@example.com", "", 7]},
            Alert(FIVE, ("a@example.com",)),
        ),
        ({"minimum_balance": 5.0}, Alert(FIVE, ())),
        ({"minimum_balance": "5", "minimum_balance_alert_email": "a@example.com"}, Alert(FIVE, ())),
        ({"minimum_balance": 0.1}, Alert(Microdollars(100_000), ())),
        ({"minimum_balance": 0}, None),
        ({"minimum_balance": -1}, None),
        ({"minimum_balance": True}, None),
        ({"minimum_balance": "much"}, None),
        ({"minimum_balance": "NaN"}, None),
        ({"minimum_balance": float("inf")}, None),
        ({"minimum_balance": 1e300}, None),
        ({"minimum_balance": None}, None),
        ({}, None),
        ({"minimum_balance_microdollars": 5_000_000}, Alert(FIVE, ())),
        ({"minimum_balance_microdollars": 5_000_000, "minimum_balance": 9}, Alert(FIVE, ())),
        ({"minimum_balance_microdollars": 0}, None),
        ({"minimum_balance_microdollars": 2**63}, None),
        ({"minimum_balance_microdollars": True}, None),
    ],
)
def test_what_settings_say_of_an_alert(settings: dict, alert: Alert | None) -> None:
    assert read_alert(settings) == alert


@given(st.integers(1, 100), st.integers(-50, 150), st.lists(st.integers(1, 40), max_size=20))
def test_a_falling_balance_is_told_at_most_once(minimum: int, balance: int, charges: list[int]) -> None:
    """And exactly once if it began above the minimum and ends below it."""
    told, start = 0, balance
    for charge in charges:
        told += falls_below(minimum, balance, balance - charge)
        balance -= charge
    assert told == int(start >= minimum > balance)


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 40)]
    assert pauses[:3] == [timedelta(seconds=seconds) for seconds in (2, 4, 8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1)


def test_the_settings_name_dollars() -> None:
    assert top_up_rules(NoticeSettings()) == TopUpRules(FIVE, Microdollars(50_000_000))
