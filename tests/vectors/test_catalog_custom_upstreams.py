"""Vectors U-01 to U-27 of catalog-and-clients, "Custom upstreams", and E-15 to E-17 of its catalog endpoints."""

from collections.abc import Iterator
from typing import Any

import pytest

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import Response, ask, get
from tollway.identity.caller import Role
from tollway.identity.master_keys import sealing_keys
from tollway.identity.owned import CUSTOM_UPSTREAMS, Owner, OwnerKind, secret_place
from tollway.identity.sealing import seal
from tollway.ids import random_bytes
from tollway.settings import load
from tollway.storage.sql.offered import OF_ORGANIZATION, OF_USER
from vectors.conftest import settings_for_vectors
from vectors.custom_upstreams import World
from vectors.test_request_custom_upstreams import UNAVAILABLE, until
from vectors.upstream import Upstream

ONE = {"models": [{"id": "m"}]}


@pytest.fixture(scope="module")
def own() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, own: Upstream) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("custom")
    settings = f"""
preset = "kilo"
{settings_for_vectors(folder, upstream, models=("anthropic/claude-sonnet-4.6",))}

[custom_upstreams]
allowed_private_endpoints = ["http://127.0.0.1:{own.port}"]

[timeouts]
identity_poll_s = 0.1
"""
    program = Gateway(folder, settings)
    yield World(program, upstream, own)
    assert program.stop() == 0


@pytest.fixture(autouse=True)
def _well(own: Upstream) -> Iterator[None]:
    yield
    own.be_well()


# Who is called


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        pytest.param("acme/llama-3", "llama-3", id="catalog:U-01"),
        pytest.param("acme/meta-llama/Llama-3", "meta-llama/Llama-3", id="catalog:U-02"),
        pytest.param("ACME/m", "m", id="catalog:U-04"),
    ],
)
def test_who_is_meant(world: World, own: Upstream, model: str, sent: str) -> None:
    caller = world.caller()
    world.add(caller)
    assert world.chat(caller, model).status == 200
    assert own.next().body["model"] == sent


@pytest.mark.parametrize("model", [pytest.param(one, id=f"catalog:U-03-{one}") for one in ("acme/", "/x", "acme", "")])
def test_nobody_is_meant(world: World, model: str) -> None:
    caller = world.caller()
    world.add(caller)
    assert world.chat(caller, model).status in (400, 404)
    assert world.is_quiet


# What is listed


class Members:
    """u belongs to A and B; each has a row, and so has another organization."""

    def __init__(self, world: World) -> None:
        self.world, self.u, self.stranger = world, world.caller(), world.caller()
        self.a, self.b = (world.organization((self.u, Role.OWNER)) for _ in range(2))
        self.x = world.organization((self.stranger, Role.OWNER))
        self.rows = {
            "u1": world.add(self.u, "u1", model_metadata=ONE),
            "a1": world.add(self.u, "a1", self.a, model_metadata=ONE),
            "b1": world.add(self.u, "b1", self.b, model_metadata=ONE),
            "x1": world.add(self.stranger, "x1", self.x, model_metadata=ONE),
        }

    def listed(self, organization: str = "", caller: Account | None = None) -> list[str]:
        answer = self.world.manage("GET", "/models", caller or self.u, organization=organization)
        return [str(one["id"]).partition("/")[0] for one in answer.json["data"]]


@pytest.fixture(scope="module")
def members(world: World) -> Members:
    return Members(world)


@pytest.mark.parametrize("first", [pytest.param("u1", id="catalog:U-05")])
def test_without_an_organization_all_that_they_belong_to(members: Members, first: str) -> None:
    listed = members.listed()
    assert listed[0] == first
    assert sorted(listed[1:]) == ["a1", "b1"]  # by the name of the organization, which is drawn here


@pytest.mark.parametrize("only", [pytest.param("a1", id="catalog:U-06")])
def test_with_an_organization_its_own(members: Members, only: str) -> None:
    assert members.listed(members.a) == [only]


@pytest.mark.parametrize("only", [pytest.param("mine", id="catalog:U-07")])
def test_a_user_without_memberships(world: World, members: Members, only: str) -> None:
    caller = world.caller()
    world.add(caller, only, model_metadata=ONE)
    assert members.listed(caller=caller) == [only]


@pytest.mark.parametrize("status", [pytest.param(403, id="catalog:U-08")])
def test_an_organization_of_others(members: Members, status: int) -> None:
    refused = members.world.manage("GET", "/models", members.u, organization=members.x)
    assert (refused.status, list(refused.json)) == (status, ["error", "success"])


@pytest.mark.parametrize("name", [pytest.param("a1", id="catalog:U-09")])
def test_what_is_disabled_is_absent(members: Members, name: str) -> None:
    path = f"/{members.rows[name]['id']}"
    for enabled in (False, True):
        changed = members.world.manage("PATCH", path, members.u, {"is_enabled": enabled}, members.a)
        assert changed.status == 200
        assert (name in members.listed()) is enabled


@pytest.mark.parametrize("model", [pytest.param("acme/m", id="catalog:U-10")])
def test_the_same_id_of_two_owners(world: World, model: str) -> None:
    caller = world.caller()
    organization = world.organization((caller, Role.OWNER))
    world.add(caller, organization=organization, model_metadata=ONE)
    world.add(caller, model_metadata=ONE)
    listed = world.manage("GET", "/models", caller).json["data"]
    assert [(one["id"], one["owner"]["type"]) for one in listed] == [(model, "user"), (model, "organization")]
    wire = [one for one in world.models(caller) if one["id"] == model]
    assert [one["owner"]["type"] for one in wire] == ["user"]


@pytest.mark.parametrize(
    ("metadata", "listed"),
    [
        pytest.param({}, [], id="catalog:U-11-none"),
        pytest.param(ONE, [("acme/m", "m", False)], id="catalog:U-11-one"),
        pytest.param(
            {"models": [{"id": "m", "name": "M", "supportsVision": True}, {"name": "no id"}, 5]},
            [("acme/m", "M", True)],
            id="catalog:U-12",
        ),
    ],
)
def test_entries(world: World, metadata: Any, listed: list[tuple[str, str, bool]]) -> None:
    caller = world.caller()
    world.overwrite(world.add(caller)["id"], model_metadata=metadata)
    found = world.manage("GET", "/models", caller).json["data"]
    assert [(one["id"], one["name"], one["supportsVision"]) for one in found] == listed
    assert not any(one["isPreferred"] for one in found)


@pytest.mark.parametrize("columns", [pytest.param(("sealed_key", "sealed_headers"), id="catalog:U-13")])
def test_the_query_of_the_catalog(columns: tuple[str, ...]) -> None:
    for statement in (OF_USER, OF_ORGANIZATION):
        assert not [column for column in columns if column in str(statement)]


# Headers


@pytest.mark.parametrize("headers", [pytest.param({"X-Team": "blue"}, id="catalog:U-14")])
def test_headers_are_sent(world: World, own: Upstream, headers: dict[str, str]) -> None:
    caller = world.caller()
    world.add(caller, extra_headers=headers)
    assert world.chat(caller, "acme/m").status == 200
    assert own.next().headers["x-team"] == "blue"


def sealed_headers(world: World, caller: Account, row: dict[str, Any], plain: str) -> dict[str, Any]:
    owner = Owner(OwnerKind.USER, caller.user_id)
    place = secret_place(CUSTOM_UPSTREAMS, "sealed_headers", row["id"], owner, row["provider_id"])
    return seal(plain, place, sealing_keys(load(world.gateway.config, environ={})), random_bytes)


@pytest.mark.parametrize(
    "plain",
    [
        *(
            pytest.param(plain, id=f"catalog:U-15-{number}")
            for number, plain in enumerate(
                ['["a"]', "null", '"x"', '{"a":1}', '{"a":null}', '{"a":{"b":"c"}}', '{"":"x"}']
            )
        ),
        pytest.param('{"X-A":"a\\r\\nX-B: b"}', id="catalog:U-17-used"),
        pytest.param('{"Content-Type":"text/plain"}', id="catalog:U-20"),
    ],
)
def test_stored_headers_that_cannot_be_used(world: World, own: Upstream, plain: str) -> None:
    caller = world.caller()
    row = world.add(caller)
    world.overwrite(row["id"], sealed_headers=sealed_headers(world, caller, row, plain))
    refused = until(lambda: world.chat(caller, "acme/m"), 503)
    assert refused.body == UNAVAILABLE
    while not own.is_untouched:  # from before it was overwritten
        assert own.next().headers["content-type"] == "application/json"
    assert world.chat(caller, "acme/m").status == 503
    assert world.is_quiet
    assert not [line for line in world.gateway.lines if "X-B" in line or "text/plain" in line]


_NAMES = ("Host", "Content-Length", "Authorization", "Cookie", "X-Forwarded-For", "x-kilocode-taskid")


@pytest.mark.parametrize(
    ("headers", "is_accepted"),
    [
        *(pytest.param({name: "x"}, False, id=f"catalog:U-16-{name}") for name in _NAMES),
        pytest.param({"X-A": "a\r\nX-B: b"}, False, id="catalog:U-17-saved"),
        pytest.param({"X-Team": "a", "x-team": "b"}, False, id="catalog:U-18"),
        pytest.param({f"X-{number}": "" for number in range(21)}, False, id="catalog:U-19-21"),
        pytest.param({f"X-{number}": "" for number in range(20)}, True, id="catalog:U-19-20"),
        pytest.param({"X-A": "x" * 1_025}, False, id="catalog:U-19-long"),
    ],
)
def test_headers_are_checked(world: World, headers: dict[str, str], is_accepted: bool) -> None:
    answer = world.try_to_add(world.caller(), extra_headers=headers)
    assert answer.status == (201 if is_accepted else 400)
    assert is_accepted or answer.json["error"].startswith("extra_headers: ")


# What is saved


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, id=f"catalog:U-21-{name}")
        for name in ("anthropic", "openrouter", "kilo", "Acme", "-a", "a b", "a/b", "x" * 49)
    ],
)
def test_names(world: World, name: str) -> None:
    refused = world.try_to_add(world.caller(), name)
    assert (refused.status, refused.json["error"][:13]) == (400, "provider_id: ")


_URLS = (
    *("http://h.example", "https://u:p@h.example", "https://h.example/?q", "https://h.example/#f"),
    *("https://127.0.0.1", "https://2130706433", "https://[::ffff:10.0.0.1]", "ftp://h.example"),
)


@pytest.mark.parametrize("url", [pytest.param(url, id=f"catalog:U-22-{url}") for url in _URLS])
def test_addresses(world: World, url: str) -> None:
    refused = world.try_to_add(world.caller(), base_url=url)
    assert (refused.status, refused.json["error"][:10]) == (400, "base_url: ")


@pytest.mark.parametrize("name", [pytest.param("acme", id="catalog:U-23")])
def test_one_of_a_name(world: World, name: str) -> None:
    caller = world.caller()
    world.add(caller, name)
    assert world.try_to_add(caller, name).status == 409
    world.add(world.caller(), name)


@pytest.mark.parametrize("url", [pytest.param("https://8.8.8.8/v1", id="catalog:U-24")])
def test_another_address(world: World, own: Upstream, url: str) -> None:
    caller = world.caller()
    row = world.add(caller, extra_headers={"X-Team": "blue"})
    moved = world.manage("PATCH", f"/{row['id']}", caller, {"base_url": url}).json
    assert (moved["is_enabled"], moved["has_extra_headers"]) == (False, False)
    again = {"base_url": world.base_url, "api_key": "sk-again"}
    assert world.manage("PATCH", f"/{row['id']}", caller, again).json["is_enabled"] is True
    assert world.chat(caller, "acme/m").status == 200
    sent = own.next().headers
    assert (sent["authorization"], "x-team" in sent) == ("Bearer sk-again", False)


@pytest.mark.parametrize("name", [pytest.param("acme", id="catalog:U-25")])
def test_a_secret_of_another_row(world: World, own: Upstream, name: str) -> None:
    caller, other = world.caller(), world.caller()
    first, second = world.add(caller, name), world.add(other, name)
    world.copy_key(first["id"], second["id"])
    assert until(lambda: world.chat(other, "acme/m"), 503).body == UNAVAILABLE
    while not own.is_untouched:
        own.next()


@pytest.mark.parametrize("role", [pytest.param(Role.MEMBER, id="catalog:U-26")])
def test_what_members_may(world: World, role: Role) -> None:
    manager, member = world.caller(), world.caller()
    organization = world.organization((manager, Role.BILLING_MANAGER), (member, role))
    row = world.add(manager, organization=organization)
    assert "base_url" in row
    (shown,) = world.manage("GET", "", member, organization=organization).json
    assert shown["id"] == row["id"]
    assert not {"base_url", "extra_header_names"} & set(shown)
    assert world.try_to_add(member, "beta", organization).status == 403
    assert world.audit(organization) == ["Added custom upstream: acme"]


@pytest.mark.parametrize("status", [pytest.param(402, id="catalog:U-27")])
def test_their_own_402(world: World, own: Upstream, status: int) -> None:
    caller = world.caller()
    world.add(caller)
    own.status = status
    assert world.chat(caller, "acme/m").status == status
    own.next()
    assert world.booked(caller) == [("custom", "byok", 0)]


# The catalog


def _models(world: World, **headers: str) -> Response:
    return ask(world.gateway, get("/v1/models", {name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize("private", [pytest.param("private, no-store", id="catalog:E-15")])
def test_who_may_keep_an_answer(world: World, private: str) -> None:
    public = _models(world)
    assert public.headers["cache-control"] == "public, max-age=0, s-maxage=60"
    known = ask(world.gateway, get("/v1/models", {"if-none-match": public.headers["etag"]}), has_body=False)
    assert known.status == 304
    assert _models(world, **world.caller().headers).headers["cache-control"] == private


@pytest.mark.parametrize("credential", [pytest.param("Bearer who", id="catalog:E-16")])
def test_a_bad_credential_is_none(world: World, credential: str) -> None:
    answer = _models(world, Authorization=credential)
    assert (answer.status, answer.body) == (200, _models(world).body)


@pytest.mark.parametrize("status", [pytest.param(403, id="catalog:E-17")])
def test_an_organization_of_somebody_else(members: Members, status: int) -> None:
    headers = {**members.u.headers, "x-kilocode-organizationid": members.x}
    assert _models(members.world, **headers).status == status
