"""Vectors E-01 to E-23 of catalog-and-clients, G.4, and S-29, S-30: the list itself, and the running program."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from msgspec.json import decode

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import Response, ask, get, request
from flow.test_kills import wait_for
from servers.feeds import Feeds, FeedServer, model
from tollway.admin.model_page import AssignedLlm, ModelPages
from tollway.admin.organizations import NewOrganization, create_organization
from tollway.catalog.classification import Classification
from tollway.catalog.feed.shapes import FeedModel
from tollway.catalog.listing import Known, Listing, list_models
from tollway.catalog.preset import AutoModel, AutoTarget, HostedModel, Preset
from tollway.errors import Problem
from tollway.gateway.services import nobody
from tollway.http.catalog import CatalogServices, add_catalog
from tollway.identity.policy import OrganizationPolicy
from tollway.ids import new_id
from tollway.storage.presets import load_preset
from unit.gateway.fakes import CALLER
from unit.http.asgi import ask as ask_app

KILO = load_preset("kilo")
NOW = 1_800_000_000
DAY = 86_400
PREFIXES = ("/api/gateway", "/api/openrouter")
PUBLIC, PRIVATE = "public, max-age=0, s-maxage=60", "private, no-store"
SECRET = "cron-secret-of-a-test"


class Everything:
    """A container of whatever is asked for: every gateway is configured."""

    def __contains__(self, _: object) -> bool:
        return True


def feed(*entries: dict[str, Any]) -> dict[str, FeedModel]:
    return {one["id"]: decode(json.dumps(one), type=FeedModel) for one in entries}


def listing(models: dict[str, FeedModel] | None, preset: Preset, now: int = NOW) -> Listing:
    known = Known((), models, {"openrouter"}, Everything())
    return list_models(known, preset, Classification(preset).kind_of, now)


def shown(models: dict[str, FeedModel] | None, preset: Preset, now: int = NOW) -> dict[str, dict[str, Any]]:
    """The list's entries by id, in its order."""
    page = json.loads(listing(models, preset, now).page())
    assert page.keys() == {"object", "data"}
    return {entry["id"]: entry for entry in page["data"]}


def hosted(public_id: str, *flags: str) -> HostedModel:
    return HostedModel(public_id, "inside", "openrouter", 1_000, 100, flags=flags, name="Hosted")


# What the list is made of


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-03")])
def test_a_hosted_model_takes_the_place_of_the_upstreams(_: int) -> None:
    id_ = "minimax/minimax-m2.5:free"
    entry = shown(feed(model(id_, name="Theirs")), KILO)[id_]
    assert (entry["name"], entry["context_length"]) == ("MiniMax: MiniMax M2.5 (free)", 204_800)
    assert listing(feed(model(id_)), KILO).page().count(f'"id":"{id_}"'.encode()) == 1


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-04")])
def test_what_is_unavailable_is_not_listed(_: int) -> None:
    assert "openai/gpt-oss-20b:free" not in shown(feed(model("openai/gpt-oss-20b:free")), KILO)


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-05")])
def test_of_an_ended_hosted_model_the_upstreams_is_shown(_: int) -> None:
    assert shown(feed(model("z-ai/glm-5:free", name="Theirs")), KILO)["z-ai/glm-5:free"]["name"] == "Theirs (free)"


@pytest.mark.parametrize(
    ("name", "is_shown_as"),
    [
        pytest.param("Foo", "Foo (free)", id="catalog:E-06"),
        pytest.param("Foo (free)", "Foo (free)", id="catalog:E-06-said"),
        pytest.param("Foo (beta)", "Foo (beta)", id="catalog:E-06-beta"),
    ],
)
def test_free_models_say_so(name: str, is_shown_as: str) -> None:
    entry = shown(feed(model("a/b:free", name=name)), KILO)["a/b:free"]
    assert (entry["name"], entry["isFree"]) == (is_shown_as, True)


@pytest.mark.parametrize(
    ("age_s", "preferred", "name"),
    [
        pytest.param(int(6.9 * DAY), ("a/b",), "Foo (new)", id="catalog:E-07"),
        pytest.param(7 * DAY, ("a/b",), "Foo", id="catalog:E-07-seven-days"),
        pytest.param(-DAY, ("a/b",), "Foo", id="catalog:E-07-tomorrow"),
        pytest.param(0, (), "Foo", id="catalog:E-07-not-preferred"),
    ],
)
def test_preferred_models_are_new_for_a_week(age_s: int, preferred: tuple[str, ...], name: str) -> None:
    entry = model("a/b", name="Foo", created=NOW - age_s)
    assert shown(feed(entry), Preset(preferred_models=preferred))["a/b"]["name"] == name


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-08")])
def test_the_order_of_the_list(_: int) -> None:
    preset = Preset(
        preferred_models=("kilo/auto", "v/p1", "v/p2"),
        auto_models=(AutoModel("kilo/auto", AutoTarget("v/p1")),),
        hosted_models=(hosted("v/hosted:free"),),
    )
    found = shown(feed(*(model(f"v/{name}") for name in ("x", "p2", "y", "p1"))), preset)
    assert list(found) == ["kilo/auto", "v/p1", "v/p2", "v/x", "v/y", "v/hosted:free"]
    assert [found[id_].get("preferredIndex") for id_ in found] == [-1, 1, 2, None, None, None]
    assert "preferredIndex" not in found["v/x"]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-09")])
def test_an_auto_model_is_no_free_model(_: int) -> None:
    entry = shown(None, KILO)["kilo/auto"]
    assert entry == {
        "id": "kilo/auto",
        "object": "model",
        "owned_by": "kilo",
        "name": "Kilo: Auto",
        "created": 0,
        "description": entry["description"],
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"], "tokenizer": "Other"},
        "top_provider": {"is_moderated": False, "context_length": 1_000_000, "max_completion_tokens": 128_000},
        "pricing": {
            "prompt": "0.000005",
            "completion": "0.000025",
            "request": "0",
            "image": "0",
            "web_search": "0",
            "internal_reasoning": "0",
        },
        "context_length": 1_000_000,
        "supported_parameters": ["max_tokens", "temperature", "tools", "reasoning", "include_reasoning"],
        "preferredIndex": -1,
        "isFree": False,
    }
    others = shown(None, KILO)
    assert others["kilo/auto-free"]["pricing"]["prompt"] == "0"
    assert others["kilo/auto-free"]["context_length"] == 204_800  # its target's
    assert others["kilo/auto-small"]["pricing"]["prompt"] == "0.00000005"
    assert others["kilo/auto-small"]["pricing"]["completion"] == "0.0000004"


@pytest.mark.parametrize(
    ("flags", "modality", "cache_read", "parameters"),
    [
        pytest.param(
            ("vision", "prompt_cache"),
            "text+image->text",
            "0.00000000",
            ["max_tokens", "temperature", "tools"],
            id="catalog:E-10",
        ),
        pytest.param((), "text->text", None, ["max_tokens", "temperature", "tools"], id="catalog:E-11"),
    ],
)
def test_a_hosted_model_is_shown_by_its_flags(
    flags: tuple[str, ...], modality: str, cache_read: str | None, parameters: list[str]
) -> None:
    entry = shown(None, Preset(hosted_models=(hosted("a/b", *flags),)))["a/b"]
    assert (entry["architecture"]["modality"], entry["supported_parameters"]) == (modality, parameters)
    assert entry["pricing"].get("input_cache_read") == cache_read
    assert ("input_cache_read" in entry["pricing"]) is (cache_read is not None)
    assert entry["canonical_slug"] == "a/b"
    assert "inside" not in json.dumps(entry)


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-12")])
def test_an_entry_that_clients_trip_over_is_left_out(_: int) -> None:
    found = listing(feed(model("a/b", context_length=0), model("c/d")), Preset())
    assert ([one.id for one in found.entries], found.left_out) == (["c/d"], 1)


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-13")])
def test_prices_are_strings_and_lengths_are_integers(_: int) -> None:
    found = shown(feed(model("a/b"), model("c/d:free", "0", "0")), KILO)
    assert len(found) > 8
    for entry in found.values():
        assert type(entry["context_length"]) is int
        assert all(type(price) is str for price in entry["pricing"].values())
        assert all(Decimal(price) >= 0 for price in entry["pricing"].values())


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-14")])
def test_clients_are_not_sent_to_routes_that_are_not_there(_: int) -> None:
    entry = model("a/b", opencode={"ai_sdk_provider": "anthropic"})
    assert "opencode" not in shown(feed(entry), KILO)["a/b"]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-19")])
def test_without_any_snapshot_there_are_hosted_and_auto_models(_: int) -> None:
    enabled = {one.public_id for one in KILO.hosted_models if one.is_enabled}
    assert set(shown(None, KILO)) == enabled | {one.id for one in KILO.auto_models}
    api = FastAPI()
    unused: Any = None
    add_catalog(api, CatalogServices(lambda: None, unused, unused, unused))
    answer = ask_app(api, "GET", "/api/gateway/models")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.json == {"error": "Service Unavailable", "message": "Models data not yet available"}


class Assigned:
    """Implements AssignedLlms; remembers for whom it was asked."""

    def __init__(self, organization_id: str, *llms: AssignedLlm) -> None:
        self.asked: list[str] = []
        self._of = {organization_id: llms}

    async def assigned(self, organization_id: str) -> tuple[AssignedLlm, ...]:
        self.asked.append(organization_id)
        return self._of.get(organization_id, ())


LLM = AssignedLlm("kilo-internal/ours", "Ours", 200_000, 8_000)


@pytest.mark.parametrize(
    ("organization", "policy", "is_listed"),
    [
        pytest.param("org-1", None, True, id="catalog:E-22"),
        pytest.param("org-2", None, False, id="catalog:E-22-another"),
        pytest.param(None, None, False, id="catalog:E-22-none"),
        pytest.param("org-1", ("openai/*",), True, id="catalog:E-22-list"),
    ],
)
def test_a_custom_llm_is_its_organizations(
    organization: str | None, policy: tuple[str, ...] | None, is_listed: bool
) -> None:
    store = Assigned("org-1", LLM)
    pages = ModelPages(lambda: listing(feed(model("a/b")), Preset()), Classification(KILO), None, nobody, store)
    restricted = OrganizationPolicy(frozenset(policy), frozenset(), (), (), None) if policy else None
    caller = replace(CALLER, organization_id=organization, policy=restricted)
    ids = [one["id"] for one in json.loads(asyncio.run(pages.own(caller)))["data"]]
    assert ids == [*([] if policy else ["a/b"]), *(["kilo-internal/ours"] if is_listed else [])]
    assert store.asked == ([organization] if organization else [])


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-23")])
def test_a_custom_llm_always_has_settings(_: int) -> None:
    pages = ModelPages(lambda: Listing(()), Classification(KILO), None, nobody, Assigned("org-1", LLM))
    (entry,) = json.loads(asyncio.run(pages.own(replace(CALLER, organization_id="org-1"))))["data"]
    assert entry["settings"] == {"included_tools": [], "excluded_tools": []}
    assert entry["name"] == entry["description"] == "Ours"
    assert entry["pricing"]["input_cache_read"] == "0.00000000"


# The running program


class World:
    """A gateway that has synced once, with stand-in sources that are gone since."""

    def __init__(self, folder: Path) -> None:
        server = FeedServer(Feeds())
        server.feeds.models.append(model("anthropic/claude-sonnet-4.6"))
        self.gateway = Gateway(folder, settings_of(folder, server.url, '\nheartbeat_url = "http://127.0.0.1:9/beat"'))
        wait_for(lambda: self.get("/api/gateway/providers").status == 200)
        self.cron = self.get("/api/cron/sync-providers", {"Authorization": f"Bearer {SECRET}"})
        server.close()
        self.account: Account = Accounts(self.gateway.config).create()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Response:
        return ask(self.gateway, get(path, headers or {}))


def settings_of(folder: Path, url: str, more: str = "", top: str = "") -> str:
    return f"""
listen = "127.0.0.1:0"
state_dir = "{folder}"
database_url = "sqlite:///{folder}/tollway.db"
preset = "kilo"
{top}
[catalog]
sync = "on"
site_url = "{url}/site"
public_url = "{url}/public"
cron_secret = "{SECRET}"
{more}
[providers.openrouter]
base_url = "{url}/openrouter/api/v1"
api_key = "sk-or-not-a-real-key"
[providers.vercel]
base_url = "{url}/vercel/v1"
api_key = "not-a-real-key"
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("catalog"))
    yield made
    assert made.gateway.stop() == 0


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-01")])
def test_both_prefixes_answer_alike(world: World, _: int) -> None:
    for route in ("models", "providers", "models-by-provider"):
        first, second = (world.get(f"{prefix}/{route}") for prefix in PREFIXES)
        assert (first.status, first.body) == (second.status, second.body)
        assert first.status == 200


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-02")])
def test_other_methods_are_no_path(world: World, _: int) -> None:
    answer = ask(world.gateway, request(b"{}", b"/api/gateway/models"))
    assert (answer.status, answer.json["error"]) == (400, "Invalid path")


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-15")])
def test_who_may_keep_an_answer(world: World, _: int) -> None:
    for route in ("models", "providers"):
        path = f"/api/gateway/{route}"
        public = world.get(path)
        assert public.headers["cache-control"] == PUBLIC
        assert world.get(path, {"If-None-Match": public.headers["etag"]}).status == 304
        own = world.get(path, world.account.headers)
        assert (own.status, own.headers["cache-control"]) == (200, PRIVATE)
        assert "etag" not in own.headers


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-16")])
def test_a_bad_credential_is_none(world: World, _: int) -> None:
    answer = world.get("/api/gateway/models", {"Authorization": "Bearer nonsense"})
    assert (answer.status, answer.body) == (200, world.get("/api/gateway/models").body)


@pytest.mark.parametrize("route", [pytest.param(one, id=f"catalog:E-17-{one}") for one in ("models", "providers")])
def test_an_organizations_list_is_for_its_members(world: World, route: str) -> None:
    accounts = Accounts(world.gateway.config)
    organization = accounts.run(_organization)
    headers = {**world.account.headers, "X-KiloCode-OrganizationId": organization}
    assert world.get(f"/api/gateway/{route}", headers).status == 403


async def _organization(store: Any, _: Any) -> str:
    made = await create_organization(store, NewOrganization(new_id(), "teams"), datetime.now(UTC))
    assert not isinstance(made, Problem)
    return made.id


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-18")])
def test_the_list_is_there_while_the_sources_are_not(world: World, _: int) -> None:
    answer = world.get("/api/gateway/models")
    ids = [one["id"] for one in answer.json["data"]]
    assert answer.status == 200
    assert ids[0] == "kilo/auto"
    assert "vendor1/model-1" in ids


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-20")])
def test_providers_tell_their_data_policy(world: World, empty: Gateway, _: int) -> None:
    data = world.get("/api/gateway/providers").json["data"]
    assert len(data) >= 12
    for one in data:
        assert one.keys() >= {"name", "displayName", "slug", "dataPolicy"}
        assert "models" not in one
        assert set(one["dataPolicy"]) == {"training", "retainsPrompts", "canPublish"}
    answer = ask(empty, get("/api/gateway/providers"))
    assert answer.status == 503
    assert answer.json == {"error": "Service Unavailable", "message": "Providers data not yet available"}


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:E-21")])
def test_models_by_provider_are_the_snapshot_itself(world: World, empty: Gateway, _: int) -> None:
    answer = world.get("/api/gateway/models-by-provider")
    assert answer.headers["cache-control"] == "max-age=0, s-maxage=60"
    assert answer.json["total_providers"] == len(answer.json["providers"])
    assert answer.json["total_models"] == sum(len(one["models"]) for one in answer.json["providers"])
    nothing = ask(empty, get("/api/gateway/models-by-provider"))
    assert (nothing.status, nothing.json) == (404, {"error": "No models data found in database"})


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that has never synced, without a secret for cron."""
    folder = tmp_path_factory.mktemp("empty")
    settings = settings_of(folder, "http://127.0.0.1:9").replace(f'cron_secret = "{SECRET}"', "")
    program = Gateway(folder, settings)
    yield program
    assert program.stop() == 0


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-29")])
def test_only_the_secret_opens_the_cron_route(world: World, empty: Gateway, _: int) -> None:
    for gateway, headers in (
        (world.gateway, {}),
        (world.gateway, {"Authorization": "Bearer wrong"}),
        (empty, {"Authorization": "Bearer "}),
        (empty, {"Authorization": f"Bearer {SECRET}"}),
    ):
        answer = ask(gateway, get("/api/cron/sync-providers", headers))
        assert (answer.status, answer.json) == (401, {"error": "Unauthorized"})


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-30")])
def test_an_unreachable_heartbeat_changes_nothing(world: World, _: int) -> None:
    assert world.cron.status == 200
    told = world.cron.json
    assert (told["id"], told["openrouter_models"], told["vercel_models"]) == (2, 121, 120)
    assert told["generated_at"].endswith("Z")
    assert any("catalog_heartbeat_failed" in line for line in world.gateway.lines)
