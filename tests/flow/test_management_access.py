"""Who may call what: each route says so, and what it says is true for every role, and for nobody (guarantees A3)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.management import ROOT, Desk
from flow.programs import Gateway
from tollway.http.management.call import Access
from tollway.identity.caller import Role
from tollway.ids import new_id

SUBJECTS = ("owner", "manager", "member", "stranger")
MAY = {  # in the organization that is asked about
    "look": ("owner", "manager", "member"),
    "change": ("owner", "manager"),
    "administrator": (),
}


LLM = {"public_id": "a/b", "vendor": "openai", "base_url": "https://a.example", "internal_id": "x", "api_key": "sk"}


class World:
    def __init__(self, gateway: Gateway, accounts: Accounts) -> None:
        self.desk = Desk(gateway, accounts)
        self.people = {name: accounts.create() for name in SUBJECTS}
        roles = (Role.OWNER, Role.BILLING_MANAGER, Role.MEMBER)
        members = zip((self.people[name] for name in SUBJECTS[:3]), roles, strict=True)
        self.organization = self.desk.organization(*members)
        self.description = self.desk.call(None, "GET", "/openapi.json").json


@pytest.fixture(scope="module")
def world(gateway: Gateway, accounts: Accounts) -> World:
    return World(gateway, accounts)


def operations(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in world.description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path.removeprefix(ROOT), operation


def asked(world: World, account: Account | None, method: str, path: str, operation: dict[str, Any]) -> int:
    """The status of a request that is about nothing there is, in the organization."""
    filled = path.replace("{organization_id}", world.organization)
    for name in (
        "key_id",
        "own_key_id",
        "upstream_id",
        "member_id",
        "invitation_id",
        "user_id",
        "request_id",
        "llm_id",
    ):
        filled = filled.replace(f"{{{name}}}", new_id())
    query = "" if "{organization_id}" in path else f"?organizationId={world.organization}"
    body = {"nothing": 1} if "requestBody" in operation else None  # is refused, once it is read
    return world.desk.call(account, method, filled + query, body).status


def test_every_route_says_who_may_call_it(world: World) -> None:
    accesses = {one.name.lower() for one in Access}
    told = [(method, path, operation.get("x-access")) for method, path, operation in operations(world)]
    assert len(told) > 40
    assert not [one for one in told if one[2] not in accesses]
    assert [path for _, path, access in told if access == "anyone"] == ["/openapi.json"] * (
        "/openapi.json" in [path for _, path, _ in told]
    )


def test_without_a_credential_there_is_nothing(world: World) -> None:
    wrong = [
        (method, path)
        for method, path, operation in operations(world)
        if operation["x-access"] != "anyone" and asked(world, None, method, path, operation) != 401
    ]
    assert wrong == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_a_route_says_is_true(world: World, subject: str) -> None:
    wrong = []
    for method, path, operation in operations(world):
        access = operation["x-access"]
        if access not in MAY or (method == "DELETE" and path == "/organizations/{organization_id}"):
            continue
        status = asked(world, world.people[subject], method, path, operation)
        if (status != 403) != (subject in MAY[access]):
            wrong.append((method, path, access, status))
    assert wrong == []


def test_nothing_is_set_that_is_not_named(world: World) -> None:
    """Neither roles nor balances nor owners, whoever asks."""
    admin = world.desk.administrator()
    for path, body in (
        ("/users", {"email": "x@example.com", "is_admin": True}),
        ("/keys", {"user_id": world.people["member"].user_id}),
        ("/keys", {"spent_microdollars": 0}),
        (f"/organizations/{world.organization}/invitations", {"email": "x@example.com", "accepted_at": None}),
        ("/custom-llms", {**LLM, "sealed_key": "x"}),
        ("/custom-llms", {**LLM, "created_at": "2026-01-01T00:00:00Z"}),
        ("/custom-llms", {**LLM, "cost": 0}),
        ("/custom-upstreams", {"provider_id": "a", "display_name": "a", "base_url": "a", "api_key": "a", "owner": 1}),
    ):
        answer = world.desk.call(admin, "POST", path, body)
        assert (answer.status, answer.code) == (400, "bad_request")
        assert "not known" in answer.json["error"]["message"]


def test_plan_and_seats_are_for_administrators(world: World) -> None:
    path, owner = f"/organizations/{world.organization}", world.people["owner"]
    for body in ({"plan": "enterprise"}, {"require_seats": True}):
        assert world.desk.call(owner, "PATCH", path, body).status == 403
    assert world.desk.call(world.desk.administrator(), "PATCH", path, {"plan": "teams"}).status == 200


def test_a_key_with_a_limit_gives_itself_no_more(world: World) -> None:
    limited = world.desk.accounts.create(key_limit=1000)
    own = f"/keys/{limited.key_id}"
    for method, path, body in (
        ("POST", "/keys", {}),
        ("PATCH", own, {"limit_microdollars": None}),
        ("POST", f"{own}/rotate", None),
    ):
        assert world.desk.call(limited, method, path, body).status == 403
    assert world.desk.call(limited, "POST", f"{own}/revoke").status == 200


def test_a_key_of_an_organization_is_good_for_it_alone(world: World) -> None:
    owner, desk = world.people["owner"], world.desk
    other = desk.organization((owner, Role.OWNER))
    made = desk.call(owner, "POST", f"/keys?organizationId={world.organization}", {}).json
    bound = Account(owner.user_id, owner.email, made["key"], made["api_key"]["id"])
    assert desk.call(bound, "GET", f"/organizations/{world.organization}/members").status == 200
    assert desk.call(bound, "GET", f"/organizations/{other}/members").status == 403
    listed = desk.call(bound, "GET", "/keys").json["data"]
    assert {one["organization_id"] for one in listed} == {world.organization}


def test_bodies_have_limits_and_one_meaning(world: World) -> None:
    owner, desk = world.people["owner"], world.desk
    assert desk.call(owner, "POST", "/keys", {"label": "x" * 300_000}).status == 413
    assert desk.call(owner, "POST", "/keys", [1]).status == 400
    assert desk.call(owner, "POST", "/keys", {}, {"Content-Type": "text/plain"}).status == 415
    assert desk.call(owner, "GET", "/keys?limit=201").status == 400


def test_an_idempotency_key_is_for_one_request(world: World) -> None:
    owner, desk, headers = world.people["owner"], world.desk, {"Idempotency-Key": new_id()}
    first, again = (desk.call(owner, "POST", "/keys", {"label": "one"}, headers) for _ in range(2))
    assert (first.status, again.status, again.headers["idempotent-replayed"]) == (201, 201, "true")
    assert json.loads(first.body) == json.loads(again.body)
    assert desk.call(owner, "POST", "/keys", {"label": "two"}, headers).code == "idempotency_key_reused"
    refused = {"Idempotency-Key": new_id()}
    assert desk.call(owner, "POST", "/keys", {"label": 1}, refused).status == 400
    assert desk.call(owner, "POST", "/keys", {"label": "one"}, refused).status == 201


def test_what_is_told_again_is_told_to_the_same_account(world: World) -> None:
    """Neither a key of the organization nor one that is limited is shown a key that its user has made otherwise."""
    owner, desk, headers = world.people["owner"], world.desk, {"Idempotency-Key": new_id()}

    def made(account: Account, body: object, path: str = "/keys") -> Account:
        told = desk.call(account, "POST", path, body).json
        return Account(owner.user_id, owner.email, told["key"], told["api_key"]["id"])

    bound = made(owner, {}, f"/keys?organizationId={world.organization}")
    limited = made(owner, {"limit_microdollars": 1_000})
    first = desk.call(owner, "POST", "/keys", {}, headers)
    assert first.status == 201
    of_organization = desk.call(bound, "POST", "/keys", {}, headers)
    assert (of_organization.status, of_organization.json["api_key"]["organization_id"]) == (201, world.organization)
    assert desk.call(limited, "POST", "/keys", {}, headers).status == 403
    assert desk.call(made(owner, {}), "POST", "/keys", {}, headers).json == first.json
