"""Vectors VB1 to VB12 and VE1 to VE12 of request-path: the split of the shipped preset, then through the program.

VE5: the reference asks its database for the rates, for at most 500 ms. Tollway has counted them, so it asks nobody.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from msgspec.json import encode

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.records import OrganizationChange
from tollway.catalog.assemble import assemble_catalog
from tollway.errors import Problem
from tollway.gateway.context import Contexts
from tollway.gateway.stages import plan_route
from tollway.identity.caller import Role
from tollway.identity.organization import TEAMS, OrganizationSettings
from tollway.identity.policy import policy_of
from tollway.ids import new_id
from tollway.routing.plan import Plan
from tollway.routing.split import TrafficSplit, bucket, percentage
from tollway.settings import parse
from tollway.storage.presets import load_preset
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import CALLER, Clock, exchange, services, upstream
from vectors.conftest import settings_for_vectors
from vectors.upstream import Upstream

KILO = load_preset("kilo")
SPLIT = KILO.split
DEFAULT, SECOND, GIGAPOTATO = "openrouter", "vercel", "gigapotato"
GLM, GROK, MINIMAX = "z-ai/glm-5", "x-ai/grok-code-fast-1", "minimax/minimax-m2.5:free"
SERVED = (GLM, GROK, "anthropic/claude-sonnet-4.6", "openai/gpt-5.2", "openrouter/x-alpha", "foo/bar")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
AT_TEN = (6, 7, 9, 17, 24, 36, 37, 43, 67, 78, 92, 94)


@pytest.mark.parametrize(
    ("seed", "number", "at_ten", "at_ninety"),
    [
        pytest.param("task-123", 96, False, False, id="request:VB1"),
        pytest.param("user-1", 82, False, True, id="request:VB2"),
        pytest.param("user123", 66, False, True, id="request:VB3"),
        pytest.param("anon:1.2.3.4", 28, False, True, id="request:VB4"),
        pytest.param("stable-seed", 16, False, True, id="request:VB5"),
        pytest.param("550e8400-e29b-41d4-a716-446655440000", 67, False, True, id="request:VB6"),
        pytest.param("", 6, True, True, id="request:VB7"),
        pytest.param("seed-3", 10, False, True, id="request:VB8"),
        pytest.param("seed-6", 0, True, True, id="request:VB9"),
        pytest.param("seed-9", 9, True, True, id="request:VB10"),
        pytest.param("failover-seed-0", 68, False, True, id="request:VB11"),
        pytest.param("failover-seed-3", 97, False, False, id="request:VB12"),
    ],
)
def test_buckets(seed: str, number: int, at_ten: bool, at_ninety: bool) -> None:
    assert bucket(SPLIT.provider, seed) == number
    assert TrafficSplit(KILO).takes(seed, 0) == at_ten
    assert failing().takes(seed, 0) == at_ninety


def failing() -> TrafficSplit:
    """The split while the default provider fails and the second one does not."""
    split = TrafficSplit(KILO)
    split.count(DEFAULT, True, 0)
    split.count(SECOND, False, 0)
    return split


@pytest.mark.parametrize("numbers", [pytest.param(AT_TEN, id="request:VE1")])
def test_the_tenth(numbers: tuple[int, ...]) -> None:
    split = TrafficSplit(KILO)
    assert tuple(number for number in range(100) if split.takes(f"seed-{number}", 0)) == numbers


@pytest.mark.parametrize("count", [pytest.param(94, id="request:VE2")])
def test_the_nine_tenths(count: int) -> None:
    split = failing()
    assert sum(split.takes(f"failover-seed-{number}", 0) for number in range(100)) == count


@pytest.mark.parametrize(
    ("rates", "share"),
    [
        pytest.param((0.7, 0.1), 90, id="request:VE3"),
        pytest.param((0.5, 0.0), 10, id="request:VE4-half"),
        pytest.param((0.7, 0.5), 10, id="request:VE4-second-half"),
        pytest.param((0.7, 0.7), 10, id="request:VE4-both"),
        pytest.param((0.0, 0.0), 10, id="request:VE4-none"),
    ],
)
def test_shares(rates: tuple[float, float], share: int) -> None:
    assert percentage(SPLIT, *rates) == share


@dataclass(frozen=True)
class Asked:
    """One request for `model`."""

    model: str = GLM
    user_id: str = "seed-6"
    task_id: str = ""
    body: Mapping[str, Any] | None = None
    organization: OrganizationSettings | None = None


def served_by(asked: Asked, split: TrafficSplit | None = None) -> str:
    """The first candidate, of a gateway that has every provider of the preset."""
    headers = {b"x-kilocode-taskid": asked.task_id.encode()} if asked.task_id else {}
    one = exchange(encode({"model": asked.model, "messages": [], **(asked.body or {})}), headers)
    one.context = Contexts(KILO).read(one.inbound.headers, one.inbound.path)
    one.request = parse_chat(one.inbound.body)
    policy = asked.organization and policy_of(TEAMS, asked.organization)
    one.caller = replace(CALLER, user_id=asked.user_id, policy=policy)
    prices = {"prompt_usd_per_million": "1", "completion_usd_per_million": "2"}
    tree = {"providers": {DEFAULT: {}}, "models": [{"id": id_, "provider": DEFAULT, **prices} for id_ in SERVED]}
    found = assemble_catalog(parse(tree), (), NOW, KILO.hosted_models).find(asked.model)
    assert found
    one.model = found
    everything = services(
        preset=KILO,
        clock=Clock(),
        split=split or TrafficSplit(KILO),
        upstreams={name: upstream(name) for name in (DEFAULT, SECOND, GIGAPOTATO)},
    )
    plan = plan_route.run(one, everything)
    assert isinstance(plan, Plan)  # at once: nothing is waited for
    return plan.candidates[0].upstream.id


@pytest.mark.parametrize("share", [pytest.param(10, id="request:VE5")])
def test_rates_are_never_waited_for(share: int) -> None:
    assert TrafficSplit(KILO).percentage_at(0) == share
    assert [served_by(Asked(user_id=seed)) for seed in ("seed-9", "seed-3")] == [SECOND, DEFAULT]


@pytest.mark.parametrize("share", [pytest.param(10, id="request:VE6")])
def test_rates_are_of_the_operators_requests_in_the_window(share: int) -> None:
    """Half of eight; requests on callers' own keys are another provider's, and what is older than ten minutes is not
    counted."""
    split = TrafficSplit(KILO)
    for number in range(100):
        split.count(DEFAULT, True, 0)
        split.count("custom", True, 1_000 + number)
    for number in range(8):
        split.count(DEFAULT, number < 4, 1_000 + 60 * number)
    assert split.percentage_at(1_500) == share
    assert TrafficSplit(KILO).percentage_at(1_500) == share
    split.count(DEFAULT, True, 1_500)  # one more is more than half
    assert split.percentage_at(1_560) == 90


@pytest.mark.parametrize(
    ("asked", "provider"),
    [
        pytest.param(Asked(body={"provider": {"data_collection": "deny"}}), DEFAULT, id="request:VE7"),
        pytest.param(Asked(organization=OrganizationSettings(data_collection="deny")), DEFAULT, id="request:VE8"),
        pytest.param(Asked("giga-potato-thinking"), GIGAPOTATO, id="request:VE9"),
        pytest.param(Asked("anthropic/claude-sonnet-4.6"), DEFAULT, id="request:VE10-anthropic"),
        pytest.param(Asked("openai/gpt-5.2"), DEFAULT, id="request:VE10-openai"),
        pytest.param(Asked("openrouter/x-alpha"), DEFAULT, id="request:VE10-openrouter"),
        pytest.param(Asked("foo/bar"), DEFAULT, id="request:VE10-unlisted"),
        pytest.param(Asked(GLM), SECOND, id="request:VE11-glm"),
        pytest.param(Asked(GROK), SECOND, id="request:VE11-grok"),
        pytest.param(Asked(MINIMAX), SECOND, id="request:VE11-minimax"),
        pytest.param(Asked(task_id="seed-0"), DEFAULT, id="request:VE12"),
    ],
)
def test_who_serves(asked: Asked, provider: str) -> None:
    assert served_by(asked) == provider


# the same through the running program


@dataclass(frozen=True)
class World:
    """A gateway with both providers, and a caller with two organizations, one of which denies data collection."""

    gateway: Gateway
    upstreams: Mapping[str, Upstream]
    account: Account
    denying: str
    allowing: str

    def side(self, seed: str, organization: str = "", **body: Any) -> tuple[str, Any]:
        """Which provider was sent the request, and what."""
        headers = {**self.account.headers, "x-kilocode-taskid": seed}
        if organization:
            headers["x-kilocode-organizationid"] = organization
        asked = {"model": GLM, "messages": [{"role": "user", "content": "hi"}], **body}
        answer = ask(self.gateway, request(asked, b"/api/gateway/chat/completions", headers))
        assert answer.status == 200
        (side,) = [name for name, one in self.upstreams.items() if not one.is_untouched]
        return side, self.upstreams[side].next().body


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("split")
    upstreams = {name: Upstream() for name in (DEFAULT, SECOND, GIGAPOTATO)}
    more = "".join(
        f'[providers.{name}]\nbase_url = "{upstreams[name].url}/v1"\napi_key = "sk-not-a-real-key"\n'
        for name in (SECOND, GIGAPOTATO)
    )
    settings = settings_for_vectors(folder, upstreams[DEFAULT], models=(GLM,), top='preset = "kilo"')
    gateway = Gateway(folder, settings + more)
    accounts = Accounts(gateway.config)
    account = accounts.create()
    denying, allowing = (_organization(accounts, account, word) for word in ("deny", "allow"))
    yield World(gateway, upstreams, account, denying, allowing)
    assert gateway.stop() == 0
    assert not [line for line in gateway.lines if "split_inactive" in line]
    for one in upstreams.values():
        one.close()


def _organization(accounts: Accounts, account: Account, data_collection: str) -> str:
    async def work(store: SqlAdmin, _: Database) -> str:
        now = datetime.now(UTC)
        made = await create_organization(store, NewOrganization(new_id(), TEAMS), now)
        assert not isinstance(made, Problem)
        change = OrganizationChange(settings={"data_collection": data_collection})
        for done in (
            await add_member(store, made.id, account.user_id, Role.MEMBER, now),
            await add_credit(store, NewCredit(Owner(organization=made.id), 10_000_000, is_free=True), now),
            await store.change_organization(made.id, change, now),
        ):
            assert not isinstance(done, Problem)
        return made.id

    return accounts.run(work)


@pytest.mark.parametrize("numbers", [pytest.param(AT_TEN, id="request:VE1-served")])
def test_a_tenth_is_served_by_the_second_provider(world: World, numbers: Iterable[int]) -> None:
    sides = {number: world.side(f"seed-{number}") for number in range(100)}
    assert tuple(number for number, (side, _) in sides.items() if side == SECOND) == numbers
    assert {(side, sent["model"]) for side, sent in sides.values()} == {(DEFAULT, GLM), (SECOND, "zai/glm-5")}
    assert all(("providerOptions" in sent) == (side == SECOND) for side, sent in sides.values())


@pytest.mark.parametrize("said", [pytest.param({"data_collection": "deny"}, id="request:VE7-served")])
def test_what_the_second_provider_cannot_be_told(world: World, said: dict[str, str]) -> None:
    assert world.side("seed-6", provider=said)[0] == DEFAULT


@pytest.mark.parametrize("sides", [pytest.param((DEFAULT, SECOND), id="request:VE8-served")])
def test_an_organization_that_denies(world: World, sides: tuple[str, str]) -> None:
    side, sent = world.side("seed-6", world.denying)
    assert (side, sent["provider"]["data_collection"]) == (sides[0], "deny")
    assert world.side("seed-6", world.allowing)[0] == sides[1]


@pytest.mark.parametrize("provider", [pytest.param(GIGAPOTATO, id="request:VE9-served")])
def test_a_hosted_model_has_a_gateway_of_its_own(world: World, provider: str) -> None:
    """Without a word about it in the settings."""
    side, sent = world.side("seed-6", model="giga-potato-thinking")
    assert (side, sent["model"]) == (provider, "ep-20260109111813-hztxv")


@pytest.mark.parametrize("provider", [pytest.param(SECOND, id="request:VE11-served")])
def test_a_hosted_model_of_the_default_provider_is_divided(world: World, provider: str) -> None:
    side, sent = world.side("seed-6", model=MINIMAX)
    assert (side, sent["model"]) == (provider, "minimax/minimax-m2.5")
    assert world.side("seed-3", model=MINIMAX)[0] == DEFAULT


def test_without_the_second_provider_all_is_served_by_the_default_one(
    kilo: Gateway, upstream: Upstream, kilo_caller: Account
) -> None:
    """README, decision 12."""
    assert any('"event":"split_inactive"' in line and '"provider":"vercel"' in line for line in kilo.lines)
    for number in AT_TEN:
        headers = {**kilo_caller.headers, "x-kilocode-taskid": f"seed-{number}"}
        body = {"model": MINIMAX, "messages": [{"role": "user", "content": "hi"}]}
        assert ask(kilo, request(body, b"/api/gateway/chat/completions", headers)).status == 200
        assert "providerOptions" not in upstream.next().body


def test_a_hosted_model_without_its_gateway_is_unavailable_and_not_listed(
    kilo: Gateway, upstream: Upstream, kilo_caller: Account
) -> None:
    body = {"model": "giga-potato", "messages": [{"role": "user", "content": "hi"}]}
    answer = ask(kilo, request(body, b"/api/gateway/chat/completions", kilo_caller.headers))
    assert answer.status == 503
    assert upstream.is_untouched
    with urlopen(f"{kilo.url}/v1/models", timeout=10) as page:
        listed = {one["id"] for one in json.load(page)["data"]}
    assert {"moonshotai/kimi-k2.5:free", MINIMAX} <= listed
    assert not {"giga-potato", "giga-potato-thinking"} & listed
