"""kill -9 at seeded moments under load, and then the books against the stand-in's own record (guarantees M5)."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from flow.accounts import Accounts
from flow.conversation import Conversation, chat
from flow.journals import wait_for_quiet
from flow.load import MODELS, Load, Target
from flow.ports import lasting_port
from flow.programs import Gateway, Sim, settings_for
from flow.reckoning import PLENTY, compare, leased, rows_of
from flow.scale import scaled
from flow.workers import kill_everything, wait_until_served, workers_of

KILLS = scaled(12, 100)
CLIENTS = 6
REPLAYED_WITHIN_S = 30


def settings(folder: Path, sim: Sim, database_url: str, port: int) -> str:
    top = "workers = 2\n[limits]\nin_flight_per_account = 1000\nin_flight_per_key = 1000"
    return settings_for(folder, sim.url, database_url=database_url, top=top, port=port)


def kill_workers(gateway: Gateway, dice: Random, kills: int) -> None:
    """One worker at a time, at a seeded moment; the other goes on and settles what it left."""
    for _ in range(kills):
        wait_until_served(gateway)
        time.sleep(dice.choice((0.05, 0.4, 2.0)) * dice.random())  # the moment is the experiment
        os.kill(dice.choice(workers_of(gateway)), signal.SIGKILL)


@pytest.mark.parametrize("seed", range(scaled(1, 5)))
def test_nothing_is_lost_or_charged_twice(database_url: str, tmp_path: Path, seed: int) -> None:
    sim = Sim(tmp_path / "sim")
    folder = tmp_path / "gateway"
    gateway = Gateway(folder, settings(folder, sim, database_url, lasting_port()))
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create(microdollars=PLENTY)
        dice = Random(seed)
        load = Load(Target(gateway.host, gateway.port), account, CLIENTS, seed)
        load.start()
        try:
            kill_workers(gateway, dice, KILLS - 1)
            kill_everything(gateway)
            gateway = Gateway(folder, settings(folder, sim, database_url, gateway.port))
            time.sleep(1)  # some more load on the restarted one
        finally:
            load.stop()
        wait_for_quiet(folder)
        report = compare(accounts, account, sim.records(), load.seen)
        print(f"\nseed {seed}, {KILLS} kills, {report}")  # noqa: T201  (the campaign's result)
        assert report["lost"] == report["double"] == report["wrong"] == 0, report
        assert report["whole"] > KILLS
    finally:
        gateway.stop()
        sim.stop()
    assert accounts.differences() == ()
    assert leased(accounts) == 0


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_answer_that_was_never_read_costs_its_caller_nothing(tmp_path: Path, model: str) -> None:
    """The upstream has said all of it, the worker dies before it reads a byte."""
    sim = Sim(tmp_path / "sim")
    folder = tmp_path / "gateway"
    gateway = Gateway(folder, settings(folder, sim, f"sqlite:///{tmp_path}/tollway.db", 0))
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create(microdollars=10**12)
        with Conversation(gateway) as conversation:
            conversation.ask(account, chat(model, False, {"chunks": 400, "first_delay_ms": 500}))
            wait_for(lambda: any(line["kind"] == "request" for line in sim.records()))
            workers = workers_of(gateway)
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: any(line["kind"] == "answer" for line in sim.records()))
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
        wait_for_quiet(folder)
        (row,) = rows_of(accounts, account).values()
        assert (row.basis, row.cost_microdollars) == ("absorbed", 0)
        assert accounts.balance(account) == 10**12
        assert accounts.differences() == ()
    finally:
        gateway.stop()
        sim.stop()


def wait_for(holds: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + REPLAYED_WITHIN_S
    while not holds():
        assert time.monotonic() < ends_at
        time.sleep(0.02)
