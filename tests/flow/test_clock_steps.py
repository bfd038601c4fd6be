"""Guarantees M11: somebody moves the wall clock of a running gateway by a day, forth and back."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from flow.accounts import Account, Accounts
from flow.conversation import Conversation, chat
from flow.journals import wait_for_quiet
from flow.load import Load, Target
from flow.programs import Gateway, Sim, settings_for
from flow.reckoning import PLENTY, compare
from flow.test_disconnects import wait_until
from flow.test_identity import ask, bearer, organization, run
from flow.usage_rows import usage_of
from flow.workers import wait_until_served, workers_of
from servers.warm import CLOCK_SHIFT
from tollway.admin.members import set_daily_limit
from tollway.admin.office import Office
from tollway.admin.ownership import OPERATOR
from tollway.gateway.timekeeping import LOOK_S
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage
from vectors.test_request_authentication import SECRET, World

__all__ = ["organization"]  # the fixture: an organization with credits, in which the account is a member

DAY_S = 86_400
STEPS = (DAY_S, -DAY_S, 3_600, 0, -3_600, DAY_S)
CLIENTS = 4
ASKED_MAX = 500
REFUSED_IN_A_ROW = 15


class Clock:
    """The wall clock of the programs that were started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock-shift"
        self._file.write_text("0")
        self.environment = {CLOCK_SHIFT: str(self._file)}

    def show(self, seconds: int) -> None:
        """Ahead of the real time, or behind it. In one write of one length, so that nobody reads a part of it."""
        descriptor = os.open(self._file, os.O_WRONLY)
        os.pwrite(descriptor, f"{seconds:+020d}".encode(), 0)
        os.close(descriptor)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def gateway(tmp_path: Path, sim: Sim, database_url: str, clock: Clock) -> Iterator[Gateway]:
    top = f"""workers = 2
[jwt]
secret = "{SECRET.decode()}"
[limits]
in_flight_per_account = 1000
in_flight_per_key = 1000
"""
    program = Gateway(tmp_path, settings_for(tmp_path, sim.url, database_url=database_url, top=top), clock.environment)
    yield program
    assert program.stop() == 0


@pytest.fixture
def accounts(gateway: Gateway) -> Accounts:
    return Accounts(gateway.config)


@pytest.fixture
def account(accounts: Accounts) -> Account:
    return accounts.create(PLENTY)


def test_a_spent_day_stays_spent(
    gateway: Gateway, accounts: Accounts, account: Account, organization: str, clock: Clock
) -> None:
    day = datetime.now(UTC).date()
    limit = 600
    run(
        accounts,
        lambda store: set_daily_limit(Office(store, OPERATOR, datetime.now(UTC)), organization, account.user_id, limit),
    )
    theirs = bearer(account, organization)
    refused = 0
    for _ in range(ASKED_MAX):  # near its end a limit is given out in pieces: one refusal is not yet the end
        refused = refused + 1 if ask(gateway, theirs)[0] == 402 else 0
        if refused == REFUSED_IN_A_ROW:
            break
    assert refused == REFUSED_IN_A_ROW, "the limit never came"
    for step in STEPS:
        clock.show(step)
        assert [ask(gateway, theirs)[0] for _ in range(6)] == [402] * 6
    assert days_of(accounts, account) == {day}


def test_a_session_that_is_good_for_a_minute(
    gateway: Gateway, accounts: Accounts, account: Account, clock: Clock
) -> None:
    token = World(gateway).token(account)
    for step in STEPS:
        clock.show(step)
        assert ask(gateway, [("Authorization", f"Bearer {token}")])[0] == 200


def test_a_stream_ends_as_if_nothing_had_happened(
    gateway: Gateway, accounts: Accounts, account: Account, clock: Clock
) -> None:
    with Conversation(gateway) as conversation:
        conversation.ask(account, chat("sim/story", True, {"chunks": len(STEPS) * 20, "delay_ms": 10}))
        for number, step in enumerate(STEPS):
            conversation.read_until(b"data: ", 10 * (number + 1))
            clock.show(step)
        assert conversation.read_answer().is_done
    wait_for_quiet(accounts.state_dir)
    (row,) = usage_of(accounts, account)
    assert row.basis == "reported"
    assert accounts.differences() == ()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # else the database says what time it is
def test_a_worker_in_place_of_another_begins_with_the_time_of_its_siblings(
    gateway: Gateway, account: Account, clock: Clock
) -> None:
    """The clock was put right by a little twice, which all followed; the one that forks them as well."""
    for shift in (3, 6):
        clock.show(shift)
        time.sleep(LOOK_S + 1)
    before = workers_of(gateway)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{before[0]}").exists())  # what it had accepted dies with it
    wait_until(lambda: len(workers_of(gateway)) == 2)
    wait_until_served(gateway)
    assert [ask(gateway, bearer(account))[0] for _ in range(6)] == [200] * 6
    time.sleep(LOOK_S)
    assert not [line for line in gateway.lines if "wall_clock_moved" in line]


def test_no_money_comes_or_goes(
    tmp_path: Path, sim: Sim, gateway: Gateway, accounts: Accounts, account: Account, clock: Clock
) -> None:
    known = len(sim.records())
    load = Load(Target(gateway.host, gateway.port), account, CLIENTS, seed=11)
    dice = Random(11)
    load.start()
    try:
        for step in STEPS:
            time.sleep(dice.random() / 2)  # the moment is the experiment
            clock.show(step)
    finally:
        load.stop()
    wait_for_quiet(tmp_path)
    report = compare(accounts, account, sim.records()[known:], load.seen)
    assert report["lost"] == report["double"] == report["wrong"] == 0, report
    assert report["whole"] > len(STEPS)
    assert accounts.differences() == ()


def days_of(accounts: Accounts, account: Account) -> set[object]:
    async def work(_: SqlAdmin, database: Database) -> set[object]:
        query = select(usage.c.usage_day).where(usage.c.user_id == account.user_id)
        return set(await database.read(lambda connection: connection.execute(query).scalars().all()))

    return accounts.run(work)
