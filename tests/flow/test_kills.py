"""kill -9 at seeded moments under load, and then the books against the stand-in's own record (guarantees M5)."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from http.client import HTTPException
from math import ceil
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import Connection, func, select

from flow.accounts import Account, Accounts
from flow.conversation import Conversation, chat
from flow.journals import entries
from flow.load import MODELS, Load, Target
from flow.programs import Gateway, Sim, settings_for
from flow.scale import scaled
from flow.workers import kill_everything, workers_of
from tollway.money import round_usd
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import leases, usage

KILLS = scaled(12, 100)
CLIENTS = 6
REPLAYED_WITHIN_S = 30
PLAIN_PRICES = (2, 8)  # µ$ per prompt and completion token of plain/story


def settings(folder: Path, sim: Sim, database_url: str, port: int) -> str:
    top = "workers = 2\n[limits]\nin_flight_per_account = 1000\nin_flight_per_key = 1000"
    text = settings_for(folder, sim.url, database_url=database_url, top=top)
    return text.replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"')


def kill_workers(gateway: Gateway, dice: Random, kills: int) -> None:
    """One worker at a time, at a seeded moment; the other goes on and settles what it left."""
    for _ in range(kills):
        wait_until_served(gateway)
        time.sleep(dice.choice((0.05, 0.4, 2.0)) * dice.random())  # the moment is the experiment
        os.kill(dice.choice(workers_of(gateway)), signal.SIGKILL)


def wait_until_served(gateway: Gateway) -> None:
    """Until a worker answers again."""
    ends_at = time.monotonic() + REPLAYED_WITHIN_S
    while True:
        try:
            with urlopen(f"{gateway.url}/healthz", timeout=5):
                return
        except (OSError, HTTPException):
            assert time.monotonic() < ends_at, "no worker serves"
            time.sleep(0.05)


def wait_for_quiet(state_dir: Path) -> None:
    """Until nothing is left in any journal: all replayed, settled and acknowledged."""
    ends_at = time.monotonic() + REPLAYED_WITHIN_S
    while left := entries(state_dir):
        assert time.monotonic() < ends_at, f"{len(left)} requests are not settled {REPLAYED_WITHIN_S} s later"
        time.sleep(0.1)


@pytest.mark.parametrize("seed", range(scaled(1, 5)))
def test_nothing_is_lost_or_charged_twice(database_url: str, tmp_path: Path, seed: int) -> None:
    sim = Sim(tmp_path / "sim")
    folder = tmp_path / "gateway"
    gateway = Gateway(folder, settings(folder, sim, database_url, 0))
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create(microdollars=10**12)
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
        report = compare(accounts, account, sim, load)
        print(f"\nseed {seed}, {KILLS} kills, {report}")  # noqa: T201  (the campaign's result)
        assert report["lost"] == report["double"] == report["wrong"] == 0, report
        assert report["whole"] > KILLS
    finally:
        gateway.stop()
        sim.stop()
    assert accounts.differences() == ()
    assert leased(accounts) == 0


def leased(accounts: Accounts) -> int:
    """Micro-dollars out on leases; after an orderly stop there are none."""

    async def work(_: SqlAdmin, database: Database) -> int:
        def read(connection: Connection) -> int:
            return int(
                connection.execute(select(func.coalesce(func.sum(leases.c.amount_microdollars), 0))).scalar_one()
            )

        return await database.read(read)

    return accounts.run(work)


def rows_of(accounts: Accounts, account: Account) -> dict[str, Any]:
    async def work(_: SqlAdmin, database: Database) -> dict[str, Any]:
        def read(connection: Connection) -> dict[str, Any]:
            found = connection.execute(select(usage).where(usage.c.user_id == account.user_id)).all()
            assert len({row.id for row in found}) == len(found)
            return {row.id: row for row in found}

        return await database.read(read)

    return accounts.run(work)


def compare(accounts: Accounts, account: Account, sim: Sim, load: Load) -> dict[str, int]:
    """Every request the stand-in saw against its row."""
    rows = rows_of(accounts, account)
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in sim.records():
        if line["kind"] == "answer" and line["x_request_id"]:
            answers[line["x_request_id"].rpartition("-")[0]].append(line)
    report = {"requests": len(answers), "whole": 0, "interrupted": 0, "lost": 0, "double": 0, "wrong": 0, "charged": 0}
    for id_, tries in answers.items():
        row = rows.get(id_)
        if row is None:
            report["lost"] += 1
            continue
        report["charged"] += row.cost_microdollars
        was_whole = id_ in load.seen.whole
        report["whole" if was_whole else "interrupted"] += 1
        is_right = row.cost_microdollars == worth(row, tries[-1]) if was_whole else is_fair(row, tries[-1])
        if not is_right:
            report["wrong"] += 1
            print(f"\nwrong, client saw {'all' if was_whole else 'a part'}: {row}\n{tries}")  # noqa: T201  (evidence)
    report["lost"] += len(load.seen.whole - set(rows))
    balance = accounts.balance(account)
    report["double"] = 10**12 - balance - sum(row.cost_microdollars for row in rows.values())
    return report


def worth(row: Any, line: dict[str, Any]) -> int:
    """What an answer that was whole costs, from the stand-in's own record."""
    if row.provider_id == "sim":
        return round_usd(Decimal(line["cost"]))
    return PLAIN_PRICES[0] * line["prompt_tokens"] + PLAIN_PRICES[1] * line["completion_tokens"]


def is_fair(row: Any, line: dict[str, Any]) -> bool:
    """An answer that broke off. One that does not stream is charged whole, or not at all when its client got nothing
    (M7); of a stream at most what was generated, and at least that less a second of output (M5)."""
    if row.cost_microdollars == worth(row, line):
        return True
    if not line["streamed"]:
        return bool(row.cost_microdollars == 0)
    generated = line["completion_tokens"]
    in_a_second = ceil(generated * min(1.0, 1_000 / max(line["generation_ms"], 1.0)))
    most = max(worth(row, line), round_usd(Decimal(line["cost"])))
    return bool(0 <= row.cost_microdollars <= most and row.completion_tokens >= generated - in_a_second)


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
