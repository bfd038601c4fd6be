"""Custom LLMs managed over HTTP: every worker hears of a change in time, with Redis and without; keys stay inside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.llms import MemberAccount, member_of_new_organization
from flow.management import Desk, message
from flow.programs import Gateway, settings_for
from flow.vendors import Event, Vendor, running
from servers.redis import running as redis_running
from tollway.ids import new_id
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

KEY, OTHER_KEY = "sk-canary-vendor-key-8c1d-0001", "sk-canary-vendor-key-8c1d-0002"
SECONDS_MAX = 5.0  # guarantees K4
IN_A_ROW = 20  # connections, each to one of the workers, that see the same
TOP = """workers = 2
log_level = "debug"
{redis}
[custom_upstreams]
allowed_private_endpoints = ["{url}"]
"""


class PlainVendor(Vendor):
    """Speaks Anthropic Messages, and says only who came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[str, str]] = []

    def serve(self, path: str, headers: dict[str, str], body: Any) -> tuple[Any, list[Event]]:
        self.came.append((headers["x-api-key"], body["model"]))
        said = {"content": [{"type": "text", "text": "Hi."}], "stop_reason": "end_turn", "stop_sequence": None}
        head = {"id": "msg_v", "type": "message", "role": "assistant", "model": body["model"]}
        return {**head, **said, "usage": {"input_tokens": 1, "output_tokens": 1}}, []


class World:
    def __init__(self, gateway: Gateway, vendor: PlainVendor) -> None:
        self.gateway, self.vendor = gateway, vendor
        self.accounts = Accounts(gateway.config)
        self.desk = Desk(gateway, self.accounts)
        self.admin: Account = self.desk.administrator()
        self.member: MemberAccount = member_of_new_organization(self.accounts)
        self.id = f"acme/{new_id()[:8]}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.desk.call(self.admin, method, path, body)

    def add(self, **more: object) -> Any:
        body = {"public_id": self.id, "vendor": "anthropic", "base_url": self.vendor.url, "internal_id": "claude-x"}
        return self.call("POST", "/custom-llms", {**body, "api_key": KEY, **more})

    def seen(self) -> tuple[int, tuple[str, str] | None]:
        """The status of a request for the model, and who came to the vendor for it."""
        before = len(self.vendor.came)
        status = ask(self.gateway, self.member, chat(self.id)).status
        return status, next(iter(self.vendor.came[before:]), None)

    def check(self, change: Callable[[], Any], expected: tuple[int, tuple[str, str] | None]) -> Any:
        """What it answers; within the promised time all workers have heard of it, and stay with it."""
        done = change()
        assert done.status in (200, 201), done.body
        changed_at = monotonic()
        in_a_row = 0
        while in_a_row < IN_A_ROW:
            began = monotonic()
            in_a_row = in_a_row + 1 if self.seen() == expected else 0
            assert in_a_row or began - changed_at < SECONDS_MAX
        assert KEY not in str(done.body)
        assert OTHER_KEY not in str(done.body)
        return done

    def stop(self) -> None:
        assert self.gateway.stop() == 0
        assert self.accounts.differences() == ()


def world_in(folder: Path, vendor: PlainVendor, redis: str) -> World:
    top = TOP.format(redis=redis, url=vendor.url.removesuffix("/v1"))
    return World(Gateway(folder, settings_for(folder, vendor.url, top=top)), vendor)


@pytest.fixture(scope="module", params=["alone", "redis"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    vendor, folder = PlainVendor(), tmp_path_factory.mktemp("custom-llms")
    with running(vendor):
        if request.param == "alone":
            made = world_in(folder, vendor, "")
            yield made
            made.stop()
            return
        with redis_running() as redis:
            made = world_in(folder, vendor, f'redis_url = "{redis.url}"')
            yield made
            made.stop()


def test_every_worker_hears_of_every_change_in_time(world: World) -> None:
    path, organization = f"/custom-llms/{world.id}", world.member.organization_id
    given = f"/organizations/{organization}/custom-llms"
    served = (200, (KEY, "claude-x"))
    made = world.check(lambda: world.add(organization_ids=[organization]), served)
    assert (made.json["last_four"], made.json["organization_ids"]) == (KEY[-4:], [organization])
    world.check(lambda: world.call("PATCH", path, {"internal_id": "claude-y"}), (200, (KEY, "claude-y")))
    world.check(lambda: world.call("PATCH", path, {"api_key": OTHER_KEY}), (200, (OTHER_KEY, "claude-y")))
    world.check(lambda: world.call("DELETE", f"{given}/{world.id}"), (404, None))
    world.check(lambda: world.call("POST", given, {"public_id": world.id}), (200, (OTHER_KEY, "claude-y")))
    assert world.call("POST", f"{path}/copy", {"public_id": f"{world.id}/copy"}).json["organization_ids"] == []
    world.check(lambda: world.call("DELETE", path), (404, None))
    assert world.call("GET", path).status == 404
    copied = world.call("GET", f"/custom-llms/{world.id}/copy").json
    assert (copied["internal_id"], copied["last_four"]) == ("claude-y", OTHER_KEY[-4:])
    first, *before = (world.call("GET", f"/custom-llms?limit={limit}").json["data"] for limit in (1, 200))
    assert first[0] == before[0][0] == copied
    what = ("Removed", "Assigned", "Unassigned", "Updated", "Updated", "Assigned")
    told = [f"{one} custom LLM: {world.id}" for one in what]
    assert world.desk.audit(world.admin, organization)[: len(told)] == told


def test_a_key_goes_nowhere_else_and_no_model_is_inside(world: World) -> None:
    made = world.add(public_id=f"{world.id}-guarded")
    assert made.status == 201
    path, port = f"/custom-llms/{world.id}-guarded", world.vendor.url.removesuffix("/v1").rpartition(":")[2]
    for address, shown in (
        ("https://169.254.169.254", "base_url"),
        ("http://127.0.0.1:1", "base_url"),
        ("https://u:p@api.example.com", "base_url"),
        (f"http://localhost:{port}", "base_url"),
    ):
        refused = world.call("PATCH", path, {"base_url": address, "api_key": KEY})
        assert (refused.status, message(refused).partition(":")[0]) == (400, shown)
    refused = world.call("PATCH", path, {"base_url": "https://1.1.1.1/v1"})
    assert (refused.status, message(refused)) == (
        400,
        "api_key: must be entered again for another scheme, host or port",
    )
    assert world.call("GET", path).json == made.json
    assert world.call("PATCH", path, {"base_url": "https://1.1.1.1/v1", "api_key": OTHER_KEY}).status == 200


def test_what_leads_inside_by_now_is_called_no_more(tmp_path: Path) -> None:
    """It was fine when an administrator entered it."""
    vendor = PlainVendor()
    with running(vendor):
        world = world_in(tmp_path, vendor, "")
        world.check(lambda: world.add(organization_ids=[world.member.organization_id]), (200, (KEY, "claude-x")))
        world.stop()
        world.gateway = Gateway(tmp_path, settings_for(tmp_path, vendor.url))
        status, who = world.seen()
        assert (status >= 500, who) == (True, None)
        world.stop()


def test_a_repeated_request_is_done_once_and_nothing_shows_a_key(world: World) -> None:
    path, body = "/custom-llms", {"vendor": "openai", "base_url": world.vendor.url, "internal_id": "x", "api_key": KEY}
    headers = {"Idempotency-Key": new_id()}
    first, again = (
        world.desk.call(world.admin, "POST", path, {**body, "public_id": f"{world.id}-once"}, headers) for _ in range(2)
    )
    assert (first.status, first.json) == (again.status, again.json) == (201, again.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert world.desk.call(world.admin, "POST", path, {**body, "public_id": f"{world.id}-once"}).status == 409
    world.accounts.run(_nothing)
    assert not [line for line in world.gateway.lines if KEY in line or OTHER_KEY in line]
    searched = [path for path in world.gateway.folder.rglob("*") if path.is_file()]
    assert any(path.name == "tollway.db" for path in searched)
    assert not [path for path in searched if KEY.encode() in path.read_bytes()]


async def _nothing(_: SqlAdmin, __: Database) -> None:
    """Once everything that has ended is settled."""
