"""More is asked of a worker than it may take: what it takes it serves, the rest is told when to come again (O5)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from flow.accounts import Accounts
from flow.crowd import Crowd
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for
from flow.quick import WAITING, gauge
from flow.scale import scaled

CAPACITY = scaled(8, 64)  # requests at once
SERVED = scaled(3, 30)  # times, each client of a crowd
QUIET = scaled(15, 200)  # requests of the quiet account
RECOVERY_S = 5
LOAD = {"chunks": 10, "delay_ms": 10}
BOUNDS = f"""
[limits]
in_flight = {CAPACITY}
in_flight_per_account = {CAPACITY // 2}
in_flight_per_key = {CAPACITY // 2}
queue = {CAPACITY // 4}
"""


@pytest.fixture
def gateway(tmp_path: Path, sim: Sim) -> Iterator[Gateway]:
    program = Gateway(tmp_path, settings_for(tmp_path, sim.url) + BOUNDS)
    yield program
    program.end()


def check_replies(crowd: Crowd) -> None:
    assert set(crowd.statuses) <= {200, 429, 503}
    for reply in crowd.replies:
        if reply.is_refusal:
            assert int(reply.headers["retry-after"]) >= 1
    served = sum(reply.whole for reply in crowd.admitted)
    assert served >= 0.99 * len(crowd.admitted)


def check_recovery(gateway: Gateway, accounts: Accounts) -> None:
    """Nothing is under way or waits any more, and everybody is served at once."""
    ended = monotonic()
    until(lambda: gauge(gateway, "tollway_in_flight") == gauge(gateway, WAITING) == 0)
    crowd = Crowd(gateway, LOAD)
    asyncio.run(crowd.all_served([accounts.create()], CAPACITY // 2, 1))
    assert monotonic() - ended < RECOVERY_S
    assert set(crowd.statuses) == {200}
    assert gateway.stop() == 0
    assert accounts.differences() == ()
    assert not [line for line in gateway.lines if '"level":"error"' in line]


@pytest.mark.parametrize("times", [2, 5])
def test_many_accounts_ask_for_more_than_there_is(gateway: Gateway, times: int) -> None:
    """None of them for more than its own share: the process is full, which is nobody's fault."""
    accounts, crowd = Accounts(gateway.config), Crowd(gateway, LOAD)
    many = [accounts.create() for _ in range(2 * times)]
    asyncio.run(crowd.all_served(many, times * CAPACITY, SERVED))
    check_replies(crowd)
    assert crowd.statuses[503] > 0
    assert crowd.statuses[200] == times * CAPACITY * SERVED
    check_recovery(gateway, accounts)


@pytest.mark.parametrize("times", [2, 5])
def test_an_account_that_floods_does_not_touch_a_quiet_one(gateway: Gateway, times: int) -> None:
    accounts, crowd = Accounts(gateway.config), Crowd(gateway, LOAD)
    loud, quiet = accounts.create(), accounts.create()

    async def run() -> set[int]:
        is_over = asyncio.Event()
        flood = [crowd.keep_asking(loud, lambda _: is_over.is_set()) for _ in range(times * CAPACITY)]
        flooding = asyncio.gather(*flood)
        replies = await crowd.keep_asking(quiet, lambda served: served >= QUIET)
        is_over.set()
        await flooding
        return {reply.status for reply in replies}

    assert asyncio.run(run()) == {200}
    check_replies(crowd)
    assert crowd.statuses[429] > 0
    check_recovery(gateway, accounts)
