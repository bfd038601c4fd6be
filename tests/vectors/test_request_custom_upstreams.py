"""Vectors CU1 to CU23 of request-path, UG9 and UG10, BA14 and OR20, and AU22, through the running program."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from flow.programs import Gateway
from flow.raw import Response, ask, get
from tollway.admin.users import delete_user
from tollway.identity.caller import Role
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredUpstream
from tollway.identity.sealing import seal
from tollway.routing.own_keys import KeyCandidates
from tollway.routing.precedence import OwnRoute, Precedence, Rule
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.own_tables import custom_upstreams
from unit.gateway.fakes import PRESET, SEALING_KEYS
from unit.gateway.fakes import upstream as fake_upstream
from vectors.conftest import settings_for_vectors
from vectors.custom_upstreams import KEY, World
from vectors.upstream import Upstream

UNAVAILABLE = (
    b'{"error":"Service Unavailable","message":"The service is temporarily unavailable. Please try again later."}'
)
ACTS_S = 10.0  # a change acts in every process within five


@pytest.fixture(scope="module")
def own() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def trap() -> Iterator[Upstream]:
    """At a port that endpoints may have, on this machine, where they may not be."""
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, own: Upstream, trap: Upstream
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("custom")
    settings = f"""
preset = "kilo"
{settings_for_vectors(folder, upstream, models=("anthropic/claude-sonnet-4.6",))}

[custom_upstreams]
allowed_private_endpoints = ["http://127.0.0.1:{own.port}"]
allowed_ports = [{trap.port}]

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


def until(wanted: Callable[[], Response], status: int) -> Response:
    """The answer, once what was changed beside the program has come to it."""
    ends = time.monotonic() + ACTS_S
    while (answer := wanted()).status != status:
        assert time.monotonic() < ends, answer
        time.sleep(0.05)
    return answer


@pytest.mark.parametrize(
    ("model", "listed", "sent"),
    [
        pytest.param("acme/meta-llama/Llama-3", [], "meta-llama/Llama-3", id="request:CU1"),
        pytest.param("ACME/MyModel", [{"id": "mymodel"}], "mymodel", id="request:CU2"),
    ],
)
def test_what_is_sent_of_the_id(world: World, own: Upstream, model: str, listed: list[Any], sent: str) -> None:
    caller = world.caller()
    world.add(caller, model_metadata={"models": listed})
    assert world.chat(caller, model).status == 200
    assert own.next().body["model"] == sent
    assert world.is_quiet


@pytest.mark.parametrize("model", [pytest.param(one, id=f"request:CU3-{one}") for one in ("acme/", "/x", "acme")])
def test_no_match(world: World, model: str) -> None:
    caller = world.caller()
    world.add(caller)
    assert world.chat(caller, model).status == 404
    assert world.is_quiet


@pytest.mark.parametrize(
    "case", [pytest.param("organization", id="request:CU4"), pytest.param("user", id="request:CU5")]
)
def test_rows_of_the_other_kind_of_owner(world: World, case: str) -> None:
    caller = world.caller()
    organization = world.organization((caller, Role.OWNER))
    owner, active = ("", organization) if case == "organization" else (organization, "")
    world.add(caller, organization=owner)
    assert world.chat(caller, "acme/x", active).status == 404
    assert world.is_quiet


@pytest.mark.parametrize("enabled", [pytest.param(False, id="request:CU6")])
def test_a_row_that_is_not_enabled(world: World, enabled: bool) -> None:
    caller = world.caller()
    world.add(caller, is_enabled=enabled)
    assert world.chat(caller, "acme/x").status == 404
    assert world.is_quiet


@pytest.mark.parametrize("model", [pytest.param("acme/x", id="request:CU7")])
def test_an_anonymous_caller(world: World, model: str) -> None:
    world.add(world.caller())
    refused = world.chat(None, model)
    body = b'{"error":{"code":"PAID_MODEL_AUTH_REQUIRED","message":"You need to sign in to use this model."}}'
    assert (refused.status, refused.body) == (401, body)
    assert world.is_quiet


@pytest.mark.parametrize("model", [pytest.param("anthropic/claude-sonnet-4.6", id="request:CU8")])
def test_endpoints_before_keys_and_the_split(model: str) -> None:
    owner, fresh = Owner(OwnerKind.USER, "ann"), bytes
    row = StoredUpstream("1", owner, "anthropic", "https://llm.example.com/v1", {}, None, {})
    key = StoredKey("2", owner, "anthropic", {})
    row = StoredUpstream(*_with(row, sealed_key=seal("sk-a", row.key_place, SEALING_KEYS, fresh)))
    key = StoredKey("2", owner, "anthropic", seal("sk-b", key.place, SEALING_KEYS, fresh))
    precedence = Precedence(
        SEALING_KEYS,
        OutboundRules(),
        takes_custom_upstreams=True,
        candidates=KeyCandidates(PRESET),
        gateway=fake_upstream("vercel"),
    )
    found = precedence.find(Owned((key,), {"anthropic": row}), model)
    assert isinstance(found, OwnRoute)
    assert (found.rule, found.is_byok, found.keys) == (Rule.CUSTOM_UPSTREAM, True, ())
    without = precedence.find(Owned((key,), {}), model)
    assert isinstance(without, OwnRoute)
    assert without.rule is Rule.OWN_KEYS  # so there was something to win against


def _with(row: StoredUpstream, **changes: Any) -> list[Any]:
    return [changes.get(name, getattr(row, name)) for name in row.__struct_fields__]


@pytest.mark.parametrize("sealed", [pytest.param({"version": 1, "key_id": "local"}, id="request:CU9")])
def test_a_key_that_does_not_open(world: World, sealed: dict[str, Any]) -> None:
    caller = world.caller()
    row = world.add(caller)
    world.overwrite(row["id"], sealed_key=sealed)
    refused = until(lambda: world.chat(caller, "acme/x"), 503)
    assert refused.body == UNAVAILABLE
    while not world.own.is_untouched:  # from before it was overwritten
        world.own.next()
    assert world.chat(caller, "acme/x").status == 503
    assert world.is_quiet


@pytest.mark.parametrize("key", [pytest.param(KEY, id="request:CU10")])
def test_where_it_goes_and_what_is_booked(world: World, own: Upstream, key: str) -> None:
    caller = world.caller()
    world.add(caller, extra_headers={"X-Team": "blue"})
    answer = world.chat(caller, "acme/x?", user="mallory")
    assert answer.status == 200
    sent = own.next()
    assert sent.target == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {key}"
    assert sent.headers["x-team"] == "blue"
    assert not {"http-referer", "x-title", "cookie", "x-forwarded-for"} & set(sent.headers)
    assert world.booked(caller) == [("custom", "byok", 0)]
    assert world.accounts.balance(caller) == 10_000_000
    assert world.is_quiet  # nothing was looked up afterwards


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        pytest.param({}, None, id="request:CU11-absent"),
        pytest.param({"stream": True}, {"include_usage": True}, id="request:CU11-true"),
    ],
)
def test_stream_options(world: World, own: Upstream, fields: dict[str, Any], options: Any) -> None:
    caller = world.caller()
    world.add(caller)
    world.chat(caller, "acme/x", **fields)
    assert own.next().body.get("stream_options") == options


@pytest.mark.parametrize("names", [pytest.param(("provider", "transforms", "plugins", "models"), id="request:CU12")])
def test_what_plain_servers_do_not_take(world: World, own: Upstream, names: tuple[str, ...]) -> None:
    caller = world.caller()
    world.add(caller)
    tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "user", "content": "and?"},
    ]
    more: dict[str, Any] = {"provider": {"order": ["x"]}, "transforms": [], "plugins": [], "models": ["a/b"]}
    assert world.chat(caller, "acme/x", messages=messages, tools=tools, **more).status == 200
    sent = own.next().body
    assert not set(names) & set(sent)
    assert sent["tools"] == tools
    assert [one["role"] for one in sent["messages"]] == ["user", "assistant", "tool", "user"]


@pytest.mark.parametrize("status", [pytest.param(402, id="request:CU13")])
def test_their_own_402(world: World, own: Upstream, status: int) -> None:
    caller = world.caller()
    world.add(caller)
    own.status, own.answer = status, b'{"error":{"message":"pay up, owner of sk-1"}}'
    text = "[BYOK] Your API account has insufficient funds. Please check your billing details with your API provider."
    refused = world.chat(caller, "acme/x")
    assert (refused.status, refused.json) == (402, {"error": text, "message": text})
    own.next()


@pytest.mark.parametrize(
    "provider_id", [pytest.param(one, id=f"request:CU14-{one}") for one in ("acme", "a", "my-llm-2")]
)
def test_names_that_are_accepted(world: World, provider_id: str) -> None:
    assert world.add(world.caller(), provider_id)["provider_id"] == provider_id


@pytest.mark.parametrize(
    "provider_id",
    [pytest.param(one, id=f"request:CU15-{one}") for one in ("Acme", "-a", "a-", "a_b", "a/b", "", "a" * 49)],
)
def test_names_that_are_not(world: World, provider_id: str) -> None:
    refused = world.try_to_add(world.caller(), provider_id)
    assert refused.status == 400
    assert refused.json["error"].startswith("provider_id: must be 1 to 48")


@pytest.mark.parametrize(
    "provider_id",
    [pytest.param(one, id=f"request:CU16-{one}") for one in ("anthropic", "openrouter", "kilo", "custom")],
)
def test_names_that_are_reserved(world: World, provider_id: str) -> None:
    refused = world.try_to_add(world.caller(), provider_id)
    assert (refused.status, refused.json) == (400, {"error": "provider_id: this name is reserved"})


@pytest.mark.parametrize("provider_id", [pytest.param("acme", id="request:CU17")])
def test_one_of_a_name_for_each_owner(world: World, provider_id: str) -> None:
    caller = world.caller()
    organization = world.organization((caller, Role.BILLING_MANAGER))
    world.add(caller, provider_id)
    assert world.try_to_add(caller, provider_id).status == 409
    world.add(world.caller(), provider_id)
    world.add(caller, provider_id, organization)


@pytest.mark.parametrize(
    ("with_header", "listed"),
    [
        pytest.param(False, ["mine/m", "orgs/m"], id="request:CU18"),
        pytest.param(True, ["orgs/m"], id="request:CU19"),
    ],
)
def test_whose_models_are_listed(world: World, with_header: bool, listed: list[str]) -> None:
    """All that the caller may use with one header or another; the wire catalog has what can be called as it is asked
    (catalog-and-clients B.6.2)."""
    caller = world.caller()
    organization = world.organization((caller, Role.OWNER))
    models = {"models": [{"id": "m"}]}
    world.add(caller, "orgs", organization, model_metadata=models)
    world.add(caller, "mine", model_metadata=models)
    active = organization if with_header else ""
    found = world.manage("GET", "/models", caller, organization=active).json["data"]
    assert [one["id"] for one in found] == listed
    mine, orgs = {"type": "user", "organizationId": None}, {"type": "organization", "organizationId": organization}
    assert [one["owner"] for one in found] == ([orgs] if with_header else [mine, orgs])
    wire = [one["id"] for one in world.models(caller, active) if "owner" in one]
    assert wire == (["orgs/m"] if with_header else ["mine/m"])


@pytest.mark.parametrize("invalid", [pytest.param({"id": ""}, id="request:CU20")])
def test_invalid_entries_are_skipped(world: World, invalid: dict[str, str]) -> None:
    caller = world.caller()
    row = world.add(caller)
    world.overwrite(row["id"], model_metadata={"models": [{"id": "m1", "name": "One"}, invalid, {"id": "m2"}]})
    found = world.manage("GET", "/models", caller).json["data"]
    assert [(one["id"], one["name"]) for one in found] == [("acme/m1", "One"), ("acme/m2", "m2")]
    wire = world.models(caller)[-2:]
    assert [(one["id"], one["name"]) for one in wire] == [("acme/m1", "One"), ("acme/m2", "m2")]


@pytest.mark.parametrize("rows", [pytest.param(("one", "two"), id="request:CU21")])
def test_rows_of_a_user_who_is_deleted(world: World, rows: tuple[str, ...]) -> None:
    caller, other = world.caller(), world.caller()
    organization = world.organization((caller, Role.BILLING_MANAGER), (other, Role.OWNER))
    for name in rows:
        world.add(caller, name)
    kept = world.add(caller, "orgs", organization)

    async def work(store: SqlAdmin, database: Database) -> list[str]:
        await delete_user(store, caller.user_id, datetime.now(UTC))
        statement = select(custom_upstreams.c.id).where(custom_upstreams.c.created_by == caller.user_id)

        def read(connection: Connection) -> list[str]:
            return list(connection.execute(statement).scalars())

        return await database.read(read)

    assert world.accounts.run(work) == [kept["id"]]


@pytest.mark.parametrize("base_url", [pytest.param("https://8.8.8.8/v1", id="request:CU22")])
def test_a_key_stays_with_its_address(world: World, base_url: str) -> None:
    caller = world.caller()
    row = world.add(caller, extra_headers={"X-Team": "blue"})
    moved = world.manage("PATCH", f"/{row['id']}", caller, {"base_url": base_url})
    assert moved.status == 200, world.gateway.lines[-5:]
    assert (moved.json["base_url"], moved.json["is_enabled"]) == (base_url, False)
    assert (moved.json["has_extra_headers"], moved.json["extra_header_names"]) == (False, [])
    assert until(lambda: world.chat(caller, "acme/x"), 404)
    refused = world.manage("PATCH", f"/{row['id']}", caller, {"is_enabled": True})
    assert (refused.status, refused.json) == (400, {"error": "is_enabled: the API key must be entered again"})


@pytest.mark.parametrize("method", [pytest.param(one, id=f"request:CU23-{one}") for one in ("GET", "PATCH", "DELETE")])
def test_rows_of_others(world: World, method: str) -> None:
    row, body = world.add(world.caller()), {"display_name": "Mine"} if method == "PATCH" else None
    caller = world.caller()
    organization = world.organization((caller, Role.OWNER))
    missing = world.manage(method, "/11111111-1111-4111-8111-111111111111", caller, body)
    for active in ("", organization):
        refused = world.manage(method, f"/{row['id']}", caller, body, active)
        assert (refused.status, refused.body) == (404, missing.body)


@pytest.mark.parametrize("host", [pytest.param("localhost", id="request:UG9")])
def test_a_name_that_has_come_to_lead_inside(world: World, trap: Upstream, host: str) -> None:
    caller = world.caller()
    row = world.add(caller)
    world.overwrite(row["id"], base_url=f"https://{host}:{trap.port}/v1")
    refused = until(lambda: world.chat(caller, "acme/x"), 503)
    assert refused.body == UNAVAILABLE
    assert trap.is_untouched
    world.gateway.wait_for_words("upstream_address_refused", f'"{host}"', "loopback")
    while not world.own.is_untouched:
        world.own.next()


@pytest.mark.parametrize("status", [pytest.param(307, id="request:UG10")])
def test_redirects_are_not_followed(world: World, own: Upstream, trap: Upstream, status: int) -> None:
    caller = world.caller()
    world.add(caller)
    own.status, own.headers = status, {"Location": f"http://127.0.0.1:{own.port}/elsewhere"}
    refused = world.chat(caller, "acme/x")
    text = "Upstream redirect not allowed"
    assert (refused.status, refused.json) == (502, {"error": text, "message": text})
    own.next()
    assert world.is_quiet


@pytest.mark.parametrize("balance", [pytest.param(0, id="request:BA14")])
def test_no_balance_is_needed(world: World, own: Upstream, balance: int) -> None:
    caller = world.caller(balance)
    world.add(caller)
    assert world.chat(caller, "acme/x").status == 200
    own.next()


@pytest.mark.parametrize("choice", [pytest.param("deny", id="request:OR20")])
def test_data_collection_is_between_them(world: World, own: Upstream, choice: str) -> None:
    caller = world.caller()
    settings = {"data_collection": choice, "model_allow_list": ("anthropic/*",)}
    organization = world.organization((caller, Role.OWNER), settings=settings)
    world.add(caller, organization=organization)
    assert world.chat(caller, "acme/x", organization).status == 200
    assert "provider" not in own.next().body


@pytest.mark.parametrize("credential", [pytest.param({}, id="request:AU22")])
def test_the_catalog_of_an_organization_is_for_members(world: World, credential: dict[str, str]) -> None:
    caller = world.caller()
    organization = world.organization((caller, Role.OWNER))
    refused = ask(world.gateway, get(f"/api/organizations/{organization}/models", credential))
    body = b'{"error":"Unauthorized - authentication required","success":false}'
    assert (refused.status, refused.body) == (401, body)
