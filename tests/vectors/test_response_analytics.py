"""Vectors of response-path §16.11 about first-usage events: requests are booked on SQLite, then the events are sent."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.first_usages import Uptake
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.database import open_database

FIRST = "first_usage"
FIRST_PAID = "first_microdollar_usage"


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        pytest.param([(8304, None)], [(FIRST_PAID, False), (FIRST, None)], id="response:V173"),
        pytest.param([(0, None), (8304, None)], [(FIRST, None), (FIRST_PAID, True)], id="response:V174"),
        pytest.param([(1, None), (8304, None)], [(FIRST_PAID, False), (FIRST, None)], id="response:V175"),
        pytest.param([(8304, "acme")], [], id="response:V176"),
    ],
)
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_events(
    tmp_path: Path,
    requests: Sequence[tuple[int, str | None]],
    expected: list[tuple[str, bool | None]],
    in_one_batch: bool,
) -> None:
    """V175: the second request finds 1 µ$ spent, so that 8305 are spent after it, and has no event."""
    url = f"sqlite:///{tmp_path}/tollway.db"
    migrate(url)

    async def scene() -> list[dict[str, Any]]:
        database = open_database(url)
        try:
            uptake = Uptake(database)
            await uptake.user("ann", paid=True)
            outcomes = [uptake.outcome(f"r{number}", cost, org) for number, (cost, org) in enumerate(requests)]
            for batch in [outcomes] if in_one_batch else [[one] for one in outcomes]:
                await uptake.books.settle("w1", batch)
            uptake.clock.now += timedelta(minutes=1)
            await uptake.send()
            return uptake.sent
        finally:
            await database.close()

    sent = asyncio.run(scene())
    found = [(one["event"], one["properties"].get("has_prior_free_usage")) for one in sent]
    assert sorted(found, key=str) == sorted(expected, key=str)
    for one in sent:
        request = requests[0] if one["event"] == FIRST else next(made for made in requests if made[0])
        more = {} if one["event"] == FIRST else {"has_prior_free_usage": one["properties"]["has_prior_free_usage"]}
        properties = {"model": "vendor/model", "cost_mUsd": request[0], "has_payment_method": True, **more}
        assert one == {
            "api_key": "phc_key",
            "distinct_id": "ann@example.com",
            "event": one["event"],
            "properties": properties,
        }
