import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from contract.scenario import START
from tollway.admin.first_usage_events import send_due
from tollway.billing.first_usage import FIRST_USAGE, DueEvent, FirstUsage

EVENT = FirstUsage("ada", FIRST_USAGE, "r1", "m", 0)


class Events:
    def __init__(self, *due: DueEvent) -> None:
        self._due = due
        self.ended: list[tuple[FirstUsage, int, datetime | None]] = []

    async def due(self, now: datetime) -> tuple[DueEvent, ...]:
        return self._due

    async def end(self, event: FirstUsage, tries: int, next_at: datetime | None) -> None:
        self.ended.append((event, tries, next_at))


def send(events: Events, failure: str | None = None) -> tuple[int, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []

    async def one(message: dict[str, Any]) -> str | None:
        sent.append(message)
        return failure

    return asyncio.run(send_due(events, "key", 5, one, START)), sent


def test_one_that_arrives_is_over() -> None:
    events = Events(DueEvent(EVENT, "a@b.c", False, False, 2))
    arrived, sent = send(events)
    assert (arrived, len(sent), events.ended) == (1, 1, [(EVENT, 3, None)])


def test_one_that_was_not_the_first_is_over_unsent() -> None:
    events = Events(DueEvent(EVENT, "a@b.c", False, True, 0))
    assert send(events) == (0, [])
    assert events.ended == [(EVENT, 1, None)]


@pytest.mark.parametrize(("before", "minutes"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, None)])
def test_pauses_double_until_it_is_given_up(before: int, minutes: int | None) -> None:
    events = Events(DueEvent(EVENT, "a@b.c", False, False, before), DueEvent(EVENT, "a@b.c", False, True, 0))
    assert send(events, "status 500")[0] == 0
    next_at = None if minutes is None else START + timedelta(minutes=minutes)
    assert events.ended == [(EVENT, before + 1, next_at), (EVENT, 1, None)]
