import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Route
from structlog.testing import capture_logs

from tollway.admin.ownership import Actor
from tollway.admin.probe_limits import ProbeLimits
from tollway.admin.records import AuditEntry, Member
from tollway.admin.upstream_changes import Sealer
from tollway.admin.upstream_records import Addition, CustomUpstream, Decide, SealedUpstream
from tollway.admin.upstreams import UpstreamDesk, UpstreamRules
from tollway.errors import Problem
from tollway.http.callers import Callers, Denied
from tollway.http.custom_upstreams import ROOT, UpstreamServices, add_custom_upstreams
from tollway.identity.caller import Caller, Role
from tollway.identity.offered import OfferedUpstream
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.upstream_models import UpstreamModel
from unit.admin.test_upstream_probes import Ask
from unit.gateway.fakes import CALLER, NOW, SEALING_KEYS
from unit.http.asgi import Answer, ask

ORG = "11111111-1111-4111-8111-111111111111"
KEY = "sk-a-key-of-twenty-characters"
ACME = {
    "provider_id": "acme",
    "display_name": "Acme",
    "base_url": "https://a.example/v1",
    "api_key": KEY,
    "extra_headers": {"X-Team": "blue-team-secret"},
    "model_metadata": {"models": [{"id": "m"}]},
}


class Rows:
    """The part of AdminStore that is used here, in memory; the caller is a member of ORG in `role`."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.rows: list[SealedUpstream] = []

    async def list_members(self, organization_id: str) -> tuple[Member, ...]:
        return (Member(organization_id, CALLER.user_id, CALLER.email, self.role, None),)

    async def list_upstreams(self, owner: Owner) -> tuple[CustomUpstream, ...]:
        return tuple(row.upstream for row in self.rows if row.upstream.owner == owner)

    async def find_upstream(self, owner: Owner, named: str) -> SealedUpstream | None:
        found = (row for row in self.rows if row.upstream.owner == owner)
        return next((row for row in found if named in (row.upstream.id, row.upstream.provider_id)), None)

    async def add_upstream(self, row: SealedUpstream, most: int, audit: AuditEntry | None) -> Addition:
        if await self.find_upstream(row.upstream.owner, row.upstream.provider_id):
            return Addition.TAKEN
        self.rows.append(row)
        return Addition.DONE

    async def change_upstream(self, owner: Owner, upstream_id: str, decide: Decide) -> CustomUpstream | Problem | None:
        found = await self.find_upstream(owner, upstream_id)
        decided = decide(found) if found else None
        if decided is None or isinstance(decided, Problem):
            return decided
        self.rows = [decided[0] if row is found else row for row in self.rows]
        return decided[0].upstream

    async def remove_upstream(self, owner: Owner, upstream_id: str, audit: AuditEntry | None) -> bool:
        before = len(self.rows)
        self.rows = [row for row in self.rows if row.upstream.id != upstream_id]
        return len(self.rows) < before


class Known(Callers):
    """Believes whoever brings a credential; counts how often changes are looked for."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.heeded = 0

    async def identify(self, request: Any, organization: str = "") -> Caller | Denied:
        if "authorization" not in request.headers:
            return Denied(401, "who")
        return replace(CALLER, organization_id=organization, role=self.role) if organization else CALLER

    async def heed_changes(self) -> None:
        self.heeded += 1


class Offered:
    async def offered(self, user_id: str, organization_id: str | None) -> tuple[OfferedUpstream, ...]:
        return (OfferedUpstream(Owner(OwnerKind.USER, user_id), "acme", "Acme", (UpstreamModel("m", "M"),)),)


class World:
    def __init__(self, role: Role = Role.OWNER) -> None:
        self.store, self.known, self.endpoint = Rows(role), Known(role), Ask()

        async def leads_inside(host: str, _: int) -> bool:
            return host == "inside.example"

        rules = UpstreamRules(OutboundRules(), {"openai"}, 50, leads_inside)
        sealer = Sealer(SEALING_KEYS, os.urandom)
        store: Any = self.store
        self.api = FastAPI()
        services = UpstreamServices(
            self.known,
            lambda caller: UpstreamDesk(store, rules, sealer, Actor(caller.user_id), NOW),
            self.endpoint,
            ProbeLimits(2, lambda: 0),
            Offered(),
        )
        add_custom_upstreams(self.api, services)

    def ask(self, method: str, path: str = "", body: object = None, organization: str = "") -> Answer:
        query = f"?organizationId={organization}" if organization else ""
        text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = ask(self.api, method, f"{ROOT}{path}{query}", text, authorization="Bearer k")
        assert KEY.encode() not in answer.body
        assert b"blue-team-secret" not in answer.body
        return answer

    def add(self, organization: str = "", **changes: Any) -> dict[str, Any]:
        made = self.ask("POST", "", {**ACME, **changes}, organization)
        assert made.status == 201, made.body
        shown: dict[str, Any] = made.json
        return shown


def routes() -> Sequence[tuple[str, str]]:
    found = [route for route in World().api.routes if isinstance(route, Route) and route.path.startswith(ROOT)]
    return [(method, route.path) for route in found for method in sorted(route.methods or ()) if method != "HEAD"]


@pytest.mark.parametrize(("method", "path"), routes())
def test_no_route_is_for_anybody(method: str, path: str) -> None:
    answer = ask(World().api, method, path.replace("{upstream_id}", "1"))
    assert (answer.status, answer.json) == (401, {"error": "who", "success": False})


def test_changes_of_ones_own_are_security_events() -> None:
    """Those of an organization are in its audit log; what is refused changes nothing."""
    world, organization = World(), "11111111-1111-4111-8111-111111111111"
    with capture_logs() as lines:
        made = world.add()
        world.add(organization)
        world.ask("POST", "", ACME)  # there is one already
        world.ask("GET")
        world.ask("DELETE", f"/{made['id']}")
    told = [(line["action"], line["user"], line["about"]) for line in lines if line["event"] == "security_event"]
    assert told == [("upstream_create", CALLER.user_id, []), ("upstream_delete", CALLER.user_id, [made["id"]])]


def test_what_is_shown() -> None:
    world = World()
    made = world.add()
    assert made == {
        "id": made["id"],
        "provider_id": "acme",
        "display_name": "Acme",
        "base_url": "https://a.example/v1",
        "model_metadata": {"models": [{"id": "m"}]},
        "is_enabled": True,
        "has_extra_headers": True,
        "extra_header_names": ["X-Team"],
        "created_at": "2026-11-20T12:00:00Z",
        "updated_at": "2026-11-20T12:00:00Z",
        "created_by": CALLER.user_id,
    }
    assert world.ask("GET").json == [made]
    assert world.ask("GET", f"/{made['id']}").json == made
    assert world.ask("GET", organization=ORG).json == []
    assert world.known.heeded == 1


def test_changes() -> None:
    world = World()
    made = world.add()
    path = f"/{made['id']}"
    changed = world.ask("PATCH", path, {"display_name": "New", "extra_headers": None}).json
    assert (changed["display_name"], changed["has_extra_headers"], changed["is_enabled"]) == ("New", False, True)
    assert world.store.rows[0].sealed_key
    assert world.ask("DELETE", path).json == {"success": True}
    assert world.ask("DELETE", path).status == 404
    assert world.known.heeded == 4


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("POST", "", b"[1]", "body: must be a JSON object"),
        ("POST", "", b"{", "body: must be a JSON object"),
        (
            "POST",
            "",
            b"{}",
            "provider_id: must be 1 to 48 lower-case letters, digits and hyphens, no hyphen at either end",
        ),
        ("POST", "", {**ACME, "provider_id": "openai"}, "provider_id: this name is reserved"),
        ("POST", "", {**ACME, "owner": "bob"}, None),
        ("POST", "", {**ACME, "base_url": "https://inside.example"}, "base_url: the host must have a public address"),
        ("PATCH", "/acme", {"created_by": "bob"}, None),
        ("PATCH", "/acme", {}, "name what is to be changed"),
        ("PATCH", "/acme", {"api_key": None}, "api_key: must have 1 to 8192 characters of visible ASCII"),
        ("POST", "/acme/test", {"base_url": "https://b.example"}, "body: may only have model"),
        ("POST", "/discover", {"id": "acme", "base_url": "https://b.example"}, "body: may only have id"),
        ("POST", "/discover", {"base_url": "https://inside.example", "api_key": "k"}, None),
        ("POST", "/discover", {"base_url": "https://127.0.0.1", "api_key": "k"}, None),
    ],
)
def test_what_is_wrong_is_named(method: str, path: str, body: object, error: str | None) -> None:
    world = World()
    world.add()
    answer = world.ask(method, path, body)
    assert answer.status == 400
    assert list(answer.json) == ["error"]
    if error:
        assert answer.json["error"] == error
    assert not hasattr(world.endpoint, "head")
    assert len(world.store.rows) == 1


def test_a_second_of_the_same_name() -> None:
    world = World()
    world.add()
    assert world.ask("POST", "", ACME).status == 409
    world.add(ORG)


def test_plain_members_look_but_see_neither_address_nor_header_names() -> None:
    world = World(Role.MEMBER)
    world.store.role = Role.OWNER
    made = world.add(ORG)
    world.store.role = Role.MEMBER
    (shown,) = world.ask("GET", organization=ORG).json
    assert set(World().add()) - set(shown) == {"base_url", "extra_header_names"}
    assert shown["has_extra_headers"] is True
    assert world.ask("GET", f"/{made['id']}", organization=ORG).json == shown
    for method, path, body in (
        ("POST", "", ACME),
        ("PATCH", f"/{made['id']}", {"display_name": "Mine"}),
        ("DELETE", f"/{made['id']}", None),
        ("POST", f"/{made['id']}/test", None),
        ("POST", "/discover", {"id": made["id"]}),
    ):
        refused = world.ask(method, path, body, ORG)
        assert (refused.status, list(refused.json)) == (403, ["error"])
    assert not hasattr(world.endpoint, "head")


def test_trying_and_discovering() -> None:
    world = World()
    made = world.add()
    assert world.ask("POST", f"/{made['id']}/test").json == {"success": True, "message": "The endpoint answered."}
    world.endpoint.answer = (200, b'{"data":[{"id":"m9"}]}')
    found = world.ask("POST", "/discover", {"id": made["id"]})
    assert found.json == {"models": [{"id": "m9", "name": "m9", "supportsVision": False}]}
    assert KEY in world.endpoint.head.decode()
    full = world.ask("POST", f"/{made['id']}/test")
    assert full.status == 429
    assert abs(int(full.headers["retry-after"]) - 3_601) <= 720


def test_what_is_not_saved_yet_can_be_discovered() -> None:
    world = World()
    world.endpoint.answer = (503, b"the key is sk-b")
    body = {"base_url": "https://b.example/v1", "api_key": "sk-b", "extra_headers": {"X-B": "1"}}
    failed = world.ask("POST", "/discover", body)
    assert (failed.status, failed.json) == (400, {"error": "Failed to load models: 503"})
    assert "Authorization: Bearer sk-b" in world.endpoint.head.decode()


def test_models_of_all_that_a_caller_may_use() -> None:
    (entry,) = World().ask("GET", "/models").json["data"]
    assert (entry["id"], entry["owner"]) == ("acme/m", {"type": "user", "organizationId": None})
