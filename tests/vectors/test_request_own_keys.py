"""Vectors BK1 to BK12 of request-path, and BA13: keys that callers bring along, as they are stored and as they serve.

BK7: keys are read together with the caller, so no request queries the database for them, whatever its model.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.catalog.preset import Preset
from tollway.errors import Code, Problem
from tollway.gateway.stages import parse_request, resolve_provider
from tollway.identity.caller import Role
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owned, OwnerKind, StoredKey, StoredUpstream
from tollway.identity.owned import Owner as KeyOwner
from tollway.identity.sealing import seal, unseal
from tollway.ids import new_id, random_bytes
from tollway.routing.own_keys import KeyCandidates
from tollway.routing.precedence import OwnRoute, Precedence
from tollway.storage.presets import load_preset
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.own_tables import byok_keys
from tollway.storage.sql.tables import usage
from unit.gateway.fakes import CALLER, SEALING_KEYS, body_of, exchange, services, upstream
from vectors.conftest import settings_for_vectors
from vectors.upstream import Upstream

KILO = load_preset("kilo")
SONNET = "anthropic/claude-sonnet-4.6"
ANN = KeyOwner(OwnerKind.USER, "ann")
BK1 = {"iv": "AAECAwQFBgcICQoL", "data": "NGn7b6CWtja8c6S/hN9PVbrm", "authTag": "4E7sFunw4xVAPKdVyIYrsA=="}
BK2 = {**BK1, "authTag": "AAAAAAAAAAAAAAAAAAAAAA=="}
BK3 = {"iv": "EBESExQVFhcYGRob", "data": "BtzAOx2sVNKkASonLRgKPrJyMw==", "authTag": "AbldrWY/gelCAkxKbWkD+Q=="}
BK4 = {"iv": "ICEiIyQlJicoKSor", "data": "qRj+XTj9dG90CGD08GU=", "authTag": "oU6EraY9ycHr2O/iy54n2w=="}
TEXT = "sk-test-1234567890"

Stored = Mapping[str, tuple[str, ...]]
ENDPOINTS: Stored = {
    SONNET: ("anthropic", "bedrock", "vertexAnthropic"),
    "zai/glm-5": ("zai", "novita"),
}


@pytest.mark.parametrize("stored", [pytest.param(BK1, id="request:BK1")])
def test_what_was_taken_over_opens(stored: dict[str, str]) -> None:
    assert unseal(stored, StoredKey("1", ANN, "anthropic", stored).place, SEALING_KEYS) == TEXT


def custom(headers: dict[str, str]) -> Owned:
    return Owned(upstreams={"acme": StoredUpstream("1", ANN, "acme", "https://llm.example.com/v1", BK1, headers, {})})


def resolved(owned: Owned, model: str, precedence: Precedence | None = None) -> OwnRoute | Problem | None:
    """What the stage says."""
    one, everything = exchange(body_of(model=model)), services()
    if precedence:
        everything = replace(everything, precedence=precedence)
    asked = parse_request.run(one, everything)
    assert not isinstance(asked, Problem)
    one.request, one.caller = asked, replace(CALLER, owned=owned)
    return resolve_provider.run(one, everything)


@pytest.mark.parametrize("headers", [pytest.param(BK3, id="request:BK3")])
def test_extra_headers_that_were_taken_over(headers: dict[str, str]) -> None:
    route = resolved(custom(headers), "acme/m1")
    assert isinstance(route, OwnRoute)
    assert route.upstream
    _, after = route.upstream.head
    assert after.endswith(b"X-Tenant: acme\r\n")
    assert f"Bearer {TEXT}".encode() in after


@pytest.mark.parametrize("headers", [pytest.param(BK4, id="request:BK4")])
def test_extra_headers_that_are_none(headers: dict[str, str]) -> None:
    problem = resolved(custom(headers), "acme/m1")
    assert isinstance(problem, Problem)
    assert (problem.code, problem.http_status) == (Code.CREDENTIAL_UNAVAILABLE, 503)


@pytest.mark.parametrize(
    ("stored", "model", "candidates"),
    [
        pytest.param(ENDPOINTS, "mistralai/codestral-2508", ("codestral",), id="request:BK5"),
        pytest.param(
            {"mistral/codestral": ("mistral",)}, "mistralai/codestral-2508", ("codestral",), id="request:BK5-stored"
        ),
        pytest.param(ENDPOINTS, SONNET, ("anthropic", "bedrock"), id="request:BK6"),
        pytest.param(ENDPOINTS, "z-ai/glm-5", ("zai",), id="request:BK6-vercel-id"),
        pytest.param(ENDPOINTS, "x-ai/grok-4", (), id="request:BK7"),
        pytest.param({}, "x-ai/grok-4", ("xai",), id="request:BK12-xai"),
        pytest.param({}, "openai/gpt-oss-120b", (), id="request:BK12-none"),
        pytest.param({}, "mistralai/codestral-2508", ("codestral",), id="request:BK12-codestral"),
    ],
)
def test_candidates(stored: Stored, model: str, candidates: tuple[str, ...]) -> None:
    assert KeyCandidates(KILO, stored).of(model) == candidates


def precedence(stored: Stored = ENDPOINTS, preset: Preset = KILO) -> Precedence:
    gateway = upstream("vercel", takes_own_keys=True)
    candidates = KeyCandidates(preset, stored)
    return Precedence(
        SEALING_KEYS, OutboundRules(), takes_custom_upstreams=True, candidates=candidates, gateway=gateway
    )


@pytest.mark.parametrize("model", [pytest.param("x-ai/grok-4", id="request:BK7-unasked")])
def test_without_candidates_no_key_is_looked_at(model: str) -> None:
    """Not even one that would not open."""
    broken = Owned(keys=(StoredKey("1", ANN, "xai", BK2), StoredKey("2", ANN, "anthropic", BK2)))
    assert resolved(broken, model, precedence()) is None
    assert isinstance(resolved(broken, SONNET, precedence()), Problem)


# through the running program


@dataclass(frozen=True)
class World:
    """A gateway with both providers, and the reference's key."""

    gateway: Gateway
    accounts: Accounts
    upstreams: Mapping[str, Upstream]

    def ask(self, account: Account, model: str = SONNET, organization: str = "", task_id: str = "") -> Any:
        headers = dict(account.headers)
        if organization:
            headers["x-kilocode-organizationid"] = organization
        if task_id:
            headers["x-kilocode-taskid"] = task_id
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        return ask(self.gateway, request(body, b"/api/openrouter/chat/completions", headers))

    def served(self, *arguments: Any, **named: Any) -> tuple[str, Any]:
        """Who was sent the request, and what."""
        assert self.ask(*arguments, **named).status == 200
        (side,) = [name for name, one in self.upstreams.items() if not one.is_untouched]
        return side, self.upstreams[side].next().body

    @property
    def is_untouched(self) -> bool:
        return all(one.is_untouched for one in self.upstreams.values())

    def give(self, provider_id: str, text: str | Mapping[str, str], **owner: str) -> None:
        """A row as Tollway writes it, or as it was taken over."""
        row_id, (kind, owner_id) = new_id(), next(iter(owner.items()))
        bare = StoredKey(row_id, KeyOwner(OwnerKind(kind), owner_id), provider_id, {})
        sealed = seal(text, bare.place, SEALING_KEYS, random_bytes) if isinstance(text, str) else text
        now = datetime.now(UTC)
        row = {
            "id": row_id,
            f"{kind}_id": owner_id,
            "provider_id": provider_id,
            "sealed_key": sealed,
            "last_four": "",
            "is_enabled": True,
            "created_at": now,
            "updated_at": now,
            "created_by": "ann",
        }
        self.accounts.run(lambda _, database: database.write(lambda connection: _insert(connection, row)))

    def organization(self, account: Account) -> str:
        """One that has money, and the account's user as its owner."""

        async def work(store: SqlAdmin, _: Database) -> str:
            now = datetime.now(UTC)
            made = await create_organization(store, NewOrganization(new_id()), now)
            assert not isinstance(made, Problem)
            for done in (
                await add_member(store, made.id, account.user_id, Role.OWNER, now),
                await add_credit(store, NewCredit(Owner(organization=made.id), 10_000_000, is_free=True), now),
            ):
                assert not isinstance(done, Problem)
            return made.id

        return self.accounts.run(work)

    def row_of(self, account: Account) -> Any:
        """The only request of theirs in the books."""

        async def work(_: SqlAdmin, database: Database) -> Any:
            query = select(usage).where(usage.c.user_id == account.user_id)
            return await database.read(lambda connection: connection.execute(query).one())

        return self.accounts.run(work)


def _insert(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(byok_keys), row)


def gateway_settings(folder: Path, upstreams: Mapping[str, Upstream]) -> str:
    top = """
preset = "kilo"
byok_encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
master_keys = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""
    more = ""
    if "vercel" in upstreams:
        more = f'[providers.vercel]\nbase_url = "{upstreams["vercel"].url}/v1"\napi_key = "sk-vercel-not-a-real-key"\n'
    models = (SONNET, "z-ai/glm-5", "x-ai/grok-4")
    return settings_for_vectors(folder, upstreams["openrouter"], models=models, top=top) + more


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("own-keys")
    upstreams = {name: Upstream() for name in ("openrouter", "vercel")}
    config = folder / "tollway.toml"
    config.write_text(gateway_settings(folder, upstreams))
    file = folder / "endpoints.json"
    file.write_text(json.dumps({id_: {"endpoints": [{"tag": tag} for tag in tags]} for id_, tags in ENDPOINTS.items()}))
    for words in (("migrate",), ("byok", "endpoints", str(file))):
        assert tollway(config, *words).code == 0
    gateway = Gateway(folder, config.read_text())
    yield World(gateway, Accounts(gateway.config), upstreams)
    assert gateway.stop() == 0
    assert not any(TEXT in line for line in gateway.lines)
    for one in upstreams.values():
        one.close()


UNAVAILABLE = (
    b'{"error":"Service Unavailable","message":"The service is temporarily unavailable. Please try again later."}'
)
INVALID = "[BYOK] Your API key is invalid or has been revoked. Please check your API key configuration."


@pytest.mark.parametrize("stored", [pytest.param(BK2, id="request:BK2")])
def test_a_key_that_does_not_open_is_nobody_elses_to_pay_for(world: World, stored: dict[str, str]) -> None:
    account = world.accounts.create()
    world.give("anthropic", stored, user=account.user_id)
    answer = world.ask(account)
    assert (answer.status, answer.body) == (503, UNAVAILABLE)
    assert world.is_untouched
    assert world.accounts.balance(account) == 10_000_000
    world.gateway.wait_for_words("own_route_unusable", account.user_id)


@pytest.mark.parametrize("side", [pytest.param("openrouter", id="request:BK8")])
def test_a_personal_key_is_not_used_for_an_organization(world: World, side: str) -> None:
    account = world.accounts.create()
    world.give("anthropic", TEXT, user=account.user_id)
    found, sent = world.served(account, organization=world.organization(account))
    assert (found, "providerOptions" in sent) == (side, False)


@pytest.mark.parametrize("side", [pytest.param("openrouter", id="request:BK9")])
def test_a_key_that_is_not_enabled(world: World, side: str, tmp_path: Path) -> None:
    account = world.accounts.create()
    organization = world.organization(account)
    (tmp_path / "key").write_text(f"{TEXT}\n")
    for words in (("add", "anthropic", "--key-file", str(tmp_path / "key")), ("disable", "anthropic")):
        assert tollway(world.gateway.config, "byok", *words, "--org", organization).code == 0
    found, sent = world.served(account, organization=organization)
    assert (found, "providerOptions" in sent) == (side, False)


@pytest.mark.parametrize("secret", [pytest.param('{"accessKeyId":"A"}', id="request:BK10")])
def test_a_key_that_is_none(world: World, secret: str) -> None:
    account = world.accounts.create()
    world.give("bedrock", secret, user=account.user_id)
    answer = world.ask(account)
    assert (answer.status, json.loads(answer.body)) == (401, {"error": INVALID, "message": INVALID})
    assert world.is_untouched


def own(name: str, *entries: dict[str, str]) -> dict[str, Any]:
    return {"gateway": {"only": [name], "byok": {name: list(entries)}}}


@pytest.mark.parametrize(
    ("stored", "provider_id", "model", "options"),
    [
        pytest.param(TEXT, "anthropic", SONNET, own("anthropic", {"apiKey": TEXT}), id="request:BK11"),
        pytest.param(BK1, "anthropic", SONNET, own("anthropic", {"apiKey": TEXT}), id="request:BK11-taken-over"),
        pytest.param(
            TEXT,
            "zai",
            "z-ai/glm-5",
            own("zai", {"apiKey": TEXT, "baseURL": "https://api.z.ai/api/coding/paas/v4"}, {"apiKey": TEXT}),
            id="request:BK11-divided",
        ),
    ],
)
def test_the_second_gateway_uses_the_key(
    world: World, stored: Any, provider_id: str, model: str, options: dict[str, Any]
) -> None:
    """Whatever the bucket (seed-6 is in it, seed-0 is not), and nobody here pays."""
    for task_id in ("seed-6", "seed-0"):
        account = world.accounts.create(0)
        world.give(provider_id, stored, user=account.user_id)
        side, sent = world.served(account, model, task_id=task_id)
        assert (side, sent["providerOptions"]) == ("vercel", options)
        row = world.row_of(account)
        assert (row.basis, row.cost_microdollars, row.absorbed_microdollars) == ("byok", 0, 0)
        assert row.market_cost_microdollars == 1
    assert world.accounts.differences() == ()


@pytest.mark.parametrize("microdollars", [pytest.param(0, id="request:BA13")])
def test_an_own_key_needs_no_balance(world: World, microdollars: int) -> None:
    account = world.accounts.create(microdollars)
    world.give("anthropic", TEXT, user=account.user_id)
    assert world.served(account)[0] == "vercel"
    assert world.ask(account, "x-ai/grok-4").status == 402  # the key is not for that one


@pytest.mark.parametrize("missing", [pytest.param("vercel", id="request:BK11-no-gateway")])
def test_without_the_second_gateway_a_key_is_not_passed_over(tmp_path: Path, missing: str) -> None:
    upstreams = {"openrouter": Upstream()}
    gateway = Gateway(tmp_path, gateway_settings(tmp_path, upstreams))
    try:
        lonely = World(gateway, Accounts(gateway.config), upstreams)
        account = lonely.accounts.create()
        lonely.give("anthropic", TEXT, user=account.user_id)
        answer = lonely.ask(account)
        assert (answer.status, answer.body, lonely.is_untouched) == (503, UNAVAILABLE, True)
        gateway.wait_for_words("no provider that takes own keys")
    finally:
        assert gateway.stop() == 0
        upstreams["openrouter"].close()


def test_an_organizations_key_is_its_members(world: World) -> None:
    account = world.accounts.create(0)
    organization = world.organization(account)
    world.give("anthropic", TEXT, organization=organization)
    side, sent = world.served(account, organization=organization)
    assert (side, sent["providerOptions"]) == ("vercel", own("anthropic", {"apiKey": TEXT}))
