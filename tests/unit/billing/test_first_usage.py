from msgspec.structs import replace

from tollway.billing.first_usage import (
    FIRST_MICRODOLLAR_USAGE,
    FIRST_USAGE,
    DueEvent,
    FirstUsage,
    first_usages,
    message_of,
    personal_users,
)
from tollway.billing.ledger import Outcome
from unit.billing.outcomes import RECORD, hold_of, outcome_of


def booked(id_: str, cost: int, user: str = "ada", organization: str | None = None) -> Outcome:
    made = outcome_of(hold_of(id_, 100), cost)
    return replace(made, record=replace(RECORD, user_id=user, organization_id=organization))


def noted(outcomes: list[Outcome], **spent: int) -> list[tuple[str, str, str]]:
    return [(one.user_id, one.event, one.request_id) for one in first_usages(outcomes, spent)]


def test_the_first_of_a_batch_counts() -> None:
    batch = [booked("r1", 0), booked("r2", 5), booked("r3", 7)]
    assert noted(batch, ada=0) == [("ada", FIRST_USAGE, "r1"), ("ada", FIRST_MICRODOLLAR_USAGE, "r2")]
    assert first_usages(batch, {"ada": 0})[1] == FirstUsage("ada", FIRST_MICRODOLLAR_USAGE, "r2", "m", 5)


def test_who_has_spent_or_is_unknown_or_acts_for_an_organization() -> None:
    assert noted([booked("r1", 5)], ada=1) == []
    assert noted([booked("r1", 5)]) == []
    assert noted([booked("r1", 5, organization="acme")], ada=0) == []


def test_users_are_told_apart() -> None:
    batch = [booked("r1", 5), booked("r2", 5, "bob"), booked("r3", 5, "cat", "acme"), booked("r4", 0, "ada")]
    assert personal_users(batch) == {"ada", "bob"}
    assert [one[:2] for one in noted(batch, ada=0, bob=0, cat=0)] == [
        ("ada", FIRST_USAGE),
        ("ada", FIRST_MICRODOLLAR_USAGE),
        ("bob", FIRST_USAGE),
        ("bob", FIRST_MICRODOLLAR_USAGE),
    ]


def test_a_first_time_that_was_none_is_not_told() -> None:
    event = FirstUsage("ada", FIRST_USAGE, "r1", "m", 0)
    due = DueEvent(event, "ada@example.com", False, True, 0)
    assert message_of(due, "key") is None
    assert message_of(replace(due, has_earlier_usage=False), "key") == {
        "api_key": "key",
        "distinct_id": "ada@example.com",
        "event": "first_usage",
        "properties": {"model": "m", "cost_mUsd": 0, "has_payment_method": False},
    }
    paid = message_of(replace(due, noted=replace(event, event=FIRST_MICRODOLLAR_USAGE)), "key")
    assert paid is not None
    assert paid["properties"]["has_prior_free_usage"] is True
