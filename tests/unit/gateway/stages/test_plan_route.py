from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tollway.catalog.preset import HostedModel, Preset, Split
from tollway.errors import Code, Problem
from tollway.gateway.context import Contexts
from tollway.gateway.services import Services
from tollway.gateway.stages import plan_route
from tollway.identity.organization import TEAMS, OrganizationSettings
from tollway.identity.policy import policy_of
from tollway.providers.own_keys import OwnKey
from tollway.routing.plan import Plan
from tollway.routing.precedence import OwnRoute, Rule
from tollway.routing.split import TrafficSplit
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import CALLER, body_of, exchange, model, services, upstream

SPLIT = Split(default_provider="one", provider="two", models=("vendor/name",), percentage_healthy=50)
DIVIDING = Preset(split=SPLIT)
ELSEWHERE = HostedModel("vendor/name", "x", "third", 1_000, 100)


def plan(*providers: str) -> Plan | Problem:
    one = exchange()
    one.request, one.model = parse_chat(one.inbound.body), model(*providers)
    return plan_route.run(one, services())


def test_who_serves_it() -> None:
    found = plan("absent", "sim")
    assert isinstance(found, Plan)
    assert [one.upstream.id for one in found.candidates] == ["sim"]


def test_who_would_serve_it_has_no_key() -> None:
    problem = plan("absent")
    assert isinstance(problem, Problem)
    assert "absent" in problem.detail
    assert problem.code is Code.SERVICE_UNAVAILABLE


def divided(preset: Preset = DIVIDING) -> Services:
    names = ("one", "two", "third")
    return services(upstreams={name: upstream(name) for name in names}, split=TrafficSplit(preset))


def route(
    everything: Services,
    seed: str,
    task_id: str = "",
    offered: tuple[str, ...] = ("one",),
    model_id: str = "vendor/name",
    policy: OrganizationSettings | None = None,
    **body: Any,
) -> tuple[str, ...]:
    """The providers of the plan, in order."""
    headers: Mapping[bytes, bytes] = {b"x-tollway-taskid": task_id.encode()} if task_id else {}
    one = exchange(body_of(**body), dict(headers))
    one.context = Contexts(Preset()).read(one.inbound.headers, one.inbound.path)
    one.request, one.model = parse_chat(one.inbound.body), model(*offered, id_=model_id)
    one.caller = replace(CALLER, user_id=seed, policy=policy and policy_of(TEAMS, policy))
    found = plan_route.run(one, everything)
    assert isinstance(found, Plan)
    assert len(found.route) == len(found.candidates)
    return tuple(candidate.upstream.id for candidate in found.candidates)


HERE, THERE = "user-1", "user-0"  # seeds on either side


def test_a_share_goes_to_the_second_provider_with_the_default_one_behind_it() -> None:
    assert route(divided(), THERE) == ("two", "one")
    assert route(divided(), HERE) == ("one",)
    assert route(services(upstreams=divided().upstreams), THERE) == ("one",)


def test_the_task_decides_before_the_caller() -> None:
    assert route(divided(), HERE, task_id=THERE) == ("two", "one")
    assert route(divided(), THERE, task_id=HERE) == ("one",)


def test_what_is_not_divided_stays() -> None:
    assert route(divided(), THERE, model_id="other/name") == ("one",)
    assert route(divided(), THERE, offered=("third", "one")) == ("third", "one")
    elsewhere = divided(Preset(split=SPLIT, hosted_models=(ELSEWHERE,)))
    assert route(elsewhere, THERE, offered=("third",)) == ("third",)


@pytest.mark.parametrize("said", [{"data_collection": "deny"}, {"ignore": ["x"]}])
def test_what_restricts_stays(said: dict[str, object]) -> None:
    assert route(divided(), THERE, provider=said) == ("one",)
    assert route(divided(), THERE, provider={"data_collection": "allow"}) == ("two", "one")


def test_the_organizations_word_is_known_in_time() -> None:
    deny, allow = OrganizationSettings(data_collection="deny"), OrganizationSettings(data_collection="allow")
    assert route(divided(), THERE, policy=deny) == ("one",)
    assert route(divided(), THERE, policy=deny, provider={"data_collection": "allow"}) == ("one",)
    assert route(divided(), THERE, policy=allow) == ("two", "one")


def test_while_the_default_one_fails_most_go_away() -> None:
    everything = divided()
    split = everything.split
    assert split
    split.count("one", True, everything.deadlines.now())
    sides = [route(everything, f"user-{number}")[0] for number in range(100)]
    assert 80 <= sides.count("two") < 100


def test_own_keys_are_used_at_their_gateway_alone() -> None:
    """Whichever side the split would put the request on, and whoever else could serve it."""
    everything, gateway = divided(), upstream("second", takes_own_keys=True)
    for seed in (HERE, THERE):
        one = exchange()
        one.request, one.model = parse_chat(one.inbound.body), model("one", "third")
        one.caller = replace(CALLER, user_id=seed)
        one.own = OwnRoute(Rule.OWN_KEYS, True, False, upstream=gateway, keys=(OwnKey("anthropic", "sk-fake"),))
        found = plan_route.run(one, everything)
        assert isinstance(found, Plan)
        assert [(only.upstream, only.worst_case) for only in found.candidates] == [(gateway, 0)]
        assert found.rule is Rule.OWN_KEYS
