"""A gateway that syncs its catalog from stand-in sources: what it lists, what it charges, and what it holds back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import ask as converse
from flow.programs import Gateway
from flow.raw import ask, get
from flow.test_kills import wait_for
from flow.usage_rows import usage_of
from servers.feeds import Feeds, FeedServer, model
from servers.redis import running

MODEL = "vendor0/model-0"
PATH = "/api/openrouter/models"


def settings_of(folder: Path, url: str, redis_url: str, database_url: str) -> str:
    return f"""
listen = "127.0.0.1:0"
state_dir = "{folder}"
database_url = "{database_url}"
redis_url = "{redis_url}"
workers = 2
[catalog]
sync = "on"
poll_s = 0.2
interval_s = 0.5
site_url = "{url}/site"
public_url = "{url}/public"
[providers.openrouter]
base_url = "{url}/openrouter/api/v1"
api_key = "sk-or-not-a-real-key"
reports_cost = false
"""


class World:
    def __init__(self, folder: Path, redis_url: str, database_url: str) -> None:
        self.server = FeedServer(Feeds())
        self.feeds = self.server.feeds
        self.gateway = Gateway(folder, settings_of(folder, self.server.url, redis_url, database_url))
        self.accounts = Accounts(self.gateway.config)
        self.account: Account = self.accounts.create()

    def listed(self, id_: str = MODEL) -> dict[str, Any] | None:
        """The model's entry in the public list."""
        answer = ask(self.gateway, get(PATH))
        found = [one for one in answer.json["data"] if one["id"] == id_]
        return found[0] if found else None

    def is_everywhere(self, holds: Callable[[], bool]) -> bool:
        """At both workers: each connection comes to one of them by chance, and each takes a snapshot by itself."""
        return all(holds() for _ in range(20))

    def is_listed(self) -> bool:
        return self.is_everywhere(lambda: self.listed() is not None)

    def prompt_price(self) -> str:
        entry = self.listed()
        return entry["pricing"]["prompt"] if entry else ""

    def cost(self) -> int:
        """Of a chat whose answer has 1,000 tokens in and 1,000 out."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
        answer = converse(self.gateway, self.account, body, "/api/openrouter/chat/completions")
        assert answer.status == 200, answer.body
        wait_for(lambda: any(row.id == answer.request_id for row in usage_of(self.accounts, self.account)))
        (row,) = [row for row in usage_of(self.accounts, self.account) if row.id == answer.request_id]
        return int(row.cost)

    def stop(self) -> None:
        assert self.gateway.stop() == 0
        self.server.close()


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    with running() as redis:
        made = World(tmp_path / "gateway", redis.url, database_url)
        yield made
        made.stop()
        assert made.accounts.differences() == ()


def test_what_is_synced_is_listed_and_charged_and_a_leap_waits_for_the_operator(world: World) -> None:
    wait_for(world.is_listed)
    public = ask(world.gateway, get(PATH))
    assert public.headers["cache-control"] == "public, max-age=0, s-maxage=60"
    assert world.cost() == 2_000 + 8_000  # µ$: 1,000 tokens at 0.000002 USD and 1,000 at 0.000008

    world.feeds.models[0] = model(MODEL, "0.000004", "0.000008")
    wait_for(lambda: world.is_everywhere(lambda: world.prompt_price() == "0.000004"))
    wait_for(lambda: world.cost() == 4_000 + 8_000)
    assert ask(world.gateway, get(PATH, {"If-None-Match": public.headers["etag"]})).status == 200

    world.feeds.models[0] = model(MODEL, "0.00004", "0.000008")
    wait_for(lambda: any("catalog_sync_held" in line for line in world.gateway.lines))
    assert world.prompt_price() == "0.000004"
    assert world.cost() == 4_000 + 8_000
    held = tollway(world.gateway.config, "sync")
    if "another run" not in held.err:
        assert (held.code, "vendor0/model-0: prompt 0.000004 → 0.00004 USD" in held.out) == (1, True)

    def accept() -> bool:
        return tollway(world.gateway.config, "sync", "--accept").code == 0

    wait_for(accept)
    wait_for(lambda: world.prompt_price() == "0.00004")
    wait_for(lambda: world.cost() == 40_000 + 8_000)


def test_only_one_of_the_workers_runs_and_what_is_not_changed_is_not_sent_again(world: World) -> None:
    wait_for(world.is_listed)
    lists = world.feeds.asked.count(("openrouter", "/models"))
    answer = ask(world.gateway, get(PATH))
    etag = answer.headers["etag"]
    wait_for(lambda: world.feeds.asked.count(("openrouter", "/models")) >= lists + 2)
    again = ask(world.gateway, get(PATH, {"If-None-Match": etag}))
    assert (again.status, again.body) == (304, b"")
    assert all(headers["user-agent"] == "Tollway" for headers in world.server.headers)
    keyed = [headers for headers in world.server.headers if "authorization" in headers]
    assert 0 < len(keyed) < len(world.server.headers)  # directory and cards need no key, and do not get one
