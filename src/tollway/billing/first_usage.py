"""Users' first requests, as events for whoever studies how a service is taken up. Pure. Source: response-path §8.

They are noted before the requests are booked: afterwards nobody could tell that they were the first. Whether one really
was the first ever is looked up later, from the stored usage; request ids are ordered by time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from tollway.billing.ledger import Outcome

FIRST_USAGE: Final = "first_usage"
FIRST_MICRODOLLAR_USAGE: Final = "first_microdollar_usage"


class FirstUsage(Struct, frozen=True):
    """One event. A user has one of each kind, ever."""

    user_id: str
    event: str
    request_id: str
    model: str
    cost_microdollars: int


class DueEvent(Struct, frozen=True):
    """One to be sent, and what is known by then of who it is about. `tries`: so many have failed. `has_earlier_usage`:
    the user had made a request before this one."""

    noted: FirstUsage
    email: str
    has_payment_method: bool
    has_earlier_usage: bool
    tries: int


def personal_users(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """Whose own money these requests are about; organizations' requests are nobody's first one."""
    return frozenset(one.record.user_id for one in outcomes if one.record.organization_id is None)


def first_usages(outcomes: Sequence[Outcome], spent: Mapping[str, int]) -> tuple[FirstUsage, ...]:
    """The events of requests that are about to be booked, in this order. `spent`: µ$ that each user in question has
    spent so far; of others there are none."""
    found: dict[tuple[str, str], FirstUsage] = {}
    for outcome in outcomes:
        record, cost = outcome.record, outcome.charge
        if record.organization_id is not None or spent.get(record.user_id) != 0:
            continue
        for event in (FIRST_USAGE, FIRST_MICRODOLLAR_USAGE) if cost > 0 else (FIRST_USAGE,):
            one = FirstUsage(record.user_id, event, outcome.hold.request_id, record.model, cost)
            found.setdefault((record.user_id, event), one)
    return tuple(found.values())


def message_of(due: DueEvent, api_key: str) -> dict[str, Any] | None:
    """What is sent; None where it turned out not to have been the first."""
    noted = due.noted
    properties: dict[str, Any] = {
        "model": noted.model,
        "cost_mUsd": noted.cost_microdollars,
        "has_payment_method": due.has_payment_method,
    }
    if noted.event == FIRST_MICRODOLLAR_USAGE:
        properties["has_prior_free_usage"] = due.has_earlier_usage
    elif due.has_earlier_usage:
        return None
    return {"api_key": api_key, "distinct_id": due.email, "event": noted.event, "properties": properties}
