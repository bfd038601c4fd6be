"""Whoever brings a key along pays the upstream and nobody here, however the request ends; the key leaves no trace."""

import os
import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from flow.accounts import Account, Accounts
from flow.commands import Ended, tollway
from flow.conversation import Conversation, ask, chat
from flow.management import Desk
from flow.programs import Gateway, Sim, settings_for
from flow.test_kills import wait_for, wait_for_quiet
from flow.usage_rows import attempts_at, usage_of
from flow.workers import wait_until_served, workers_of
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage

CANARY = "sk-canary-own-key-7f3a9b"
MODEL = "sim/story"
SECOND = """
[providers.second]
kind = "vercel"
base_url = "{url}/v1"
api_key = "sk-fake-upstream-key"
"""
TOP = 'log_level = "debug"\n[retries]\nbackoff_s = 0.01\nbudget_min = 1000\n'


class World:
    """A gateway that knows by stored endpoints that `sim/story` can be served with a key for anthropic."""

    def __init__(self, folder: Path, top: str = "") -> None:
        self.folder = folder / "gateway"
        self.folder.mkdir()
        self.sim = Sim(folder / "sim")
        config = self.folder / "tollway.toml"
        config.write_text(
            settings_for(self.folder, self.sim.url, models=SECOND.replace("{url}", self.sim.url), top=top + TOP)
        )
        endpoints, self.key_file = folder / "endpoints.json", folder / "key"
        endpoints.write_text(f'{{"{MODEL}": {{"endpoints": [{{"tag": "anthropic"}}]}}}}')
        self.key_file.write_text(CANARY)
        for words in (("migrate",), ("byok", "endpoints", str(endpoints))):
            assert tollway(config, *words).code == 0
        self.gateway = Gateway(self.folder, config.read_text())
        self.accounts = Accounts(self.gateway.config)

    def byok(self, what: str, account: Account, *more: str) -> Ended:
        ended = tollway(self.gateway.config, "byok", what, "anthropic", "--user", account.user_id, "--json", *more)
        assert CANARY not in ended.out + ended.err
        return ended

    def account(self) -> Account:
        """One with a key of their own and no money here."""
        account = self.accounts.create(0)
        assert self.byok("add", account, "--key-file", str(self.key_file)).code == 0
        return account

    def routes_of(self, account: Account) -> list[tuple[str, str]]:
        async def work(_: SqlAdmin, database: Database) -> list[tuple[str, str]]:
            def read(connection: Connection) -> list[Any]:
                query = select(usage.c.provider_id, usage.c.basis).where(usage.c.user_id == account.user_id)
                return list(connection.execute(query).all())

            return [(row[0], row[1]) for row in await database.read(read)]

        return self.accounts.run(work)

    def stop(self) -> None:
        self.gateway.stop()
        self.sim.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("own-keys"))
    yield made
    made.stop()
    assert made.accounts.differences() == ()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("sim", [{}, {"status": 503}, {"status": 401}], ids=["answers", "fails", "refuses"])
def test_nobody_here_pays(world: World, stream: bool, sim: dict[str, Any]) -> None:
    """And nobody else is asked when it fails, although another provider would serve the model."""
    account = world.account()
    answer = ask(world.gateway, account, chat(MODEL, stream, sim))
    assert answer.status == sim.get("status", 200)
    (row,) = usage_of(world.accounts, account)
    assert (row.basis, row.cost, row.absorbed) == ("byok", 0, 0)
    told = tollway(world.gateway.config, "explain", answer.request_id).told
    assert told["Rule"] == ["own_keys: the caller's own keys for the model's inference providers"]
    assert world.accounts.balance(account) == 0
    assert world.routes_of(account) == [("second", "byok")]
    assert len(attempts_at(world.sim, answer.request_id)) == (3 if answer.status == 503 else 1)


def test_a_worker_that_dies_leaves_no_charge(world: World) -> None:
    """What had passed is in its journal; the replay knows who pays."""
    account = world.account()
    with Conversation(world.gateway) as conversation:
        conversation.ask(account, chat(MODEL, True, {"chunks": 400, "delay_ms": 20}))
        conversation.read_until(b"data: ", 40)
        for pid in workers_of(world.gateway):
            os.kill(pid, signal.SIGKILL)
    wait_for_quiet(world.folder)
    (row,) = usage_of(world.accounts, account)
    assert (row.basis, row.cost, row.absorbed) == ("byok", 0, 0)
    assert world.accounts.balance(account) == 0
    wait_until_served(world.gateway)


def test_a_change_of_a_key_is_heard_of(world: World) -> None:
    """Within seconds, by a worker that knows its owner."""
    account = world.account()
    assert ask(world.gateway, account, chat(MODEL)).status == 200
    assert world.byok("disable", account).code == 0
    wait_for(lambda: ask(world.gateway, account, chat(MODEL)).status == 402)


def test_a_key_is_tried_and_nobody_here_pays(world: World) -> None:
    """By command and over both routes; the answer has nothing of the key or the upstream's words."""
    account, desk = world.account(), Desk(world.gateway, world.accounts)
    assert world.byok("models", account).json == {"models": [MODEL]}
    assert world.byok("test", account).json == {"success": True, "message": "The key works."}
    listed = desk.call(account, "GET", "/byok-keys").json["data"]
    path = f"/byok-keys/{listed[0]['id']}"
    assert desk.call(account, "GET", f"{path}/models").json == {"data": [MODEL], "next_cursor": None}
    assert desk.call(account, "GET", f"/api{path}/models").json == [MODEL]
    for root in ("", "/api"):
        answer = desk.call(account, "POST", f"{root}{path}/test")
        assert (answer.status, answer.json) == (200, {"success": True, "message": "The key works."})
    stranger = world.accounts.create(0)
    assert desk.call(stranger, "POST", f"{path}/test").status == 404
    assert desk.call(stranger, "GET", f"{path}/models").status == 404
    assert usage_of(world.accounts, account) == []
    statuses = [desk.call(account, "POST", f"{path}/test").status for _ in range(20)]
    assert statuses[-1] == 429
    assert {200, 429} == set(statuses)


def test_the_key_leaves_no_trace(world: World) -> None:
    """Not in a log line at debug level, the journal or the database."""
    account = world.account()
    assert ask(world.gateway, account, chat(MODEL, True)).status == 200
    world.accounts.run(_nothing)
    assert not [line for line in world.gateway.lines if CANARY in line]
    searched = [path for path in world.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".journal" for path in searched)
    assert any(path.name == "tollway.db" for path in searched)
    assert not [path for path in searched if CANARY.encode() in path.read_bytes()]


async def _nothing(_: SqlAdmin, database: Database) -> None:
    """Until everything is settled."""


def test_no_request_fails_while_the_master_key_is_changed(tmp_path: Path) -> None:
    """Guarantees K2: each step as the guide says, with a request after each; at the end the old key is gone."""
    old, new = (f"{name}:{b64encode(bytes([byte]) * 32).decode()}" for name, byte in (("old", 1), ("new", 2)))
    world = World(tmp_path, f'master_keys = "{old},{new}"\n')
    config, text = world.gateway.config, world.gateway.config.read_text()
    try:
        account = world.account()
        assert ask(world.gateway, account, chat(MODEL)).status == 200
        config.write_text(text.replace(f"{old},{new}", f"{new},{old}"))
        assert tollway(config, "secrets", "retire", "old").code == 1
        assert tollway(config, "secrets", "rewrap", "--json").json == {"rewrapped": 1, "failed": 0}
        assert ask(world.gateway, account, chat(MODEL)).status == 200
        assert world.byok("replace", account, "--key-file", str(world.key_file)).code == 0  # workers hear of a change
        assert ask(world.gateway, account, chat(MODEL)).status == 200
        assert tollway(config, "secrets", "retire", "old").code == 0
        assert world.gateway.stop() == 0
        world.gateway = Gateway(world.folder, text.replace(f"{old},{new}", new))
        assert ask(world.gateway, account, chat(MODEL)).status == 200
    finally:
        world.stop()
