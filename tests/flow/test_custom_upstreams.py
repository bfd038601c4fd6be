"""Whoever has an endpoint of their own pays there and nobody here, however it ends; its key leaves no trace."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.commands import Ended, tollway
from flow.conversation import Conversation, ask, chat
from flow.programs import Gateway, Sim, settings_for
from flow.raw import Raw, get, request
from flow.test_kills import wait_for, wait_for_quiet
from flow.usage_rows import attempts_at, usage_of
from flow.workers import wait_until_served, workers_of

CANARY, HEADER = "sk-canary-upstream-key-41f9c2", "canary-upstream-header-9d2e71"
MODEL = "acme/sim/story"
TOP = """log_level = "debug"
[retries]
backoff_s = 0.01
budget_min = 1000
[custom_upstreams]
allowed_private_endpoints = ["{url}"]
"""


class World:
    """A gateway, and a stand-in that is an endpoint of its callers (and of the operator, at another address)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "gateway"
        self.sim = Sim(folder / "sim")
        self.key_file, self.headers_file = folder / "key", folder / "headers.json"
        self.key_file.write_text(CANARY)
        self.headers_file.write_text(f'{{"X-Team": "{HEADER}"}}')
        settings = settings_for(self.folder, self.sim.url, top=TOP.replace("{url}", self.sim.url))
        self.gateway = Gateway(self.folder, settings)
        self.accounts = Accounts(self.gateway.config)

    def upstreams(self, what: str, account: Account, *more: str) -> Ended:
        ended = tollway(self.gateway.config, "upstreams", what, "acme", "--user", account.user_id, *more)
        assert CANARY not in ended.out + ended.err
        assert HEADER not in ended.out + ended.err
        return ended

    def account(self) -> Account:
        """One with an endpoint of their own and no money here."""
        account = self.accounts.create(0)
        secrets = ("--key-file", str(self.key_file), "--headers-file", str(self.headers_file))
        assert self.upstreams("add", account, "--url", f"{self.sim.url}/v1", *secrets).code == 0
        return account

    def stop(self) -> None:
        self.gateway.stop()
        self.sim.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("custom-upstreams"))
    yield made
    made.stop()
    assert made.accounts.differences() == ()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("sim", [{}, {"status": 503}, {"status": 401}], ids=["answers", "fails", "refuses"])
def test_nobody_here_pays(world: World, stream: bool, sim: dict[str, Any]) -> None:
    account = world.account()
    answer = ask(world.gateway, account, chat(MODEL, stream, sim))
    assert answer.status == sim.get("status", 200)
    (row,) = usage_of(world.accounts, account)
    assert (row.basis, row.cost, row.absorbed) == ("byok", 0, 0)
    told = tollway(world.gateway.config, "explain", answer.request_id).told
    assert told["Rule"] == ["custom_upstream: an endpoint of the caller's own"]
    assert world.accounts.balance(account) == 0
    assert len(attempts_at(world.sim, answer.request_id)) == (3 if answer.status == 503 else 1)


def test_a_worker_that_dies_leaves_no_charge(world: World) -> None:
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


def test_a_change_is_heard_of(world: World) -> None:
    """Within seconds, by a worker that knows its owner; what runs already finishes."""
    account = world.account()
    with Conversation(world.gateway) as conversation:
        conversation.ask(account, chat(MODEL, True, {"chunks": 200, "delay_ms": 20}))
        conversation.read_until(b"data: ", 5)
        assert world.upstreams("disable", account).code == 0
        wait_for(lambda: ask(world.gateway, account, chat(MODEL)).status == 404)
        assert conversation.read_until(b"data: [DONE]")
    assert world.upstreams("enable", account).code == 0
    wait_for(lambda: ask(world.gateway, account, chat(MODEL)).status == 200)


def test_no_secret_leaves_a_trace(world: World) -> None:
    """Not in an answer of the API, a log line at debug level, the journal or the database."""
    account = world.account()
    assert ask(world.gateway, account, chat(MODEL, True)).status == 200
    with Raw(world.gateway) as connection:
        for raw in (
            get("/api/custom-upstreams", account.headers),
            get("/api/custom-upstreams/models", account.headers),
            get("/v1/models", account.headers),
            request(b'{"model":"sim/story"}', b"/api/custom-upstreams/acme/test", account.headers),
            request(b'{"id":"acme"}', b"/api/custom-upstreams/discover", account.headers),
        ):
            answer = connection.send(raw).read()
            assert answer.status == 200, answer
            assert CANARY.encode() not in answer.body
            assert HEADER.encode() not in answer.body
    usage_of(world.accounts, account)
    assert not [line for line in world.gateway.lines if CANARY in line or HEADER in line]
    searched = [path for path in world.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".journal" for path in searched)
    for path in searched:
        text = path.read_bytes()
        assert CANARY.encode() not in text, path
        assert HEADER.encode() not in text, path
