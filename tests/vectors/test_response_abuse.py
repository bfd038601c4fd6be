"""Vectors V202 to V207 of response-path §16.12: an abuse service is asked, and nothing depends on what it says."""

import json
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from flow.accounts import Accounts
from flow.programs import Gateway
from flow.raw import ask, request
from servers.abuse import AbuseService, verdict
from vectors.oversight import counted, judged, logged, overseen, wait_for_count
from vectors.scripted import ScriptedUpstream, stream, whole
from vectors.world import PATH, World, body_for

TIMEOUTS = 'tollway_abuse_failures_total{kind="timeout"}'


def answer_of(message_id: str, cost: float = 0.000021) -> bytes:
    message = {"role": "assistant", "content": "Hi"}
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4},
        "cost": cost,
    }
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"id": message_id, "model": "a/b", "choices": choices, "usage": usage}).encode()


@pytest.fixture(scope="module")
def service() -> Iterator[AbuseService]:
    server = AbuseService()
    yield server
    server.close()


@pytest.fixture(scope="module")
def judged_gateway(
    tmp_path_factory: pytest.TempPathFactory, scripted: ScriptedUpstream, service: AbuseService
) -> Iterator[Gateway]:
    with overseen(tmp_path_factory.mktemp("judged"), scripted, judged(service)) as gateway:
        yield gateway


@pytest.fixture
def world(judged_gateway: Gateway, scripted: ScriptedUpstream, service: AbuseService) -> Iterator[World]:
    yield World(judged_gateway, scripted, Accounts(judged_gateway.config))
    service.be_well()


def ask_whole(world: World, message_id: str = "gen-1", **more: Any) -> None:
    assert world.ask(whole(200, answer_of(message_id, **more)), model="a/b", is_stream=False).status == 200


def assert_untold(world: World, service: AbuseService) -> None:
    """The next report is that of a later request."""
    service.be_well()
    ask_whole(world, "afterwards")
    service.asked()
    assert service.told()["message_id"] == "afterwards"


@pytest.mark.parametrize("url", [pytest.param("", id="response:V202")])
def test_without_an_address_nobody_is_asked(scripted_gateway: Gateway, scripted: ScriptedUpstream, url: str) -> None:
    """The settings of that gateway name none."""
    assert f'abuse.base_url = "{url}' not in scripted_gateway.config.read_text()
    unasked = World(scripted_gateway, scripted, Accounts(scripted_gateway.config))
    ask_whole(unasked)
    assert unasked.row().cost_microdollars == 21
    assert not [line for line in scripted_gateway.lines if "abuse" in line]


@pytest.mark.parametrize("seconds", [pytest.param(2, id="response:V203")])
def test_a_service_that_hangs(world: World, service: AbuseService, seconds: float) -> None:
    """The whole answer is with the client while it still hangs."""
    service.hang()
    before = counted(world.gateway, TIMEOUTS)
    begun = monotonic()
    ask_whole(world)
    assert world.ask(*stream(b'data: {"choices":[]}\n\ndata: [DONE]\n\n'), model="a/b").is_done
    assert monotonic() - begun < seconds
    wait_for_count(world.gateway, TIMEOUTS, before + 2)
    assert monotonic() - begun >= seconds
    service.asked(), service.asked()
    assert_untold(world, service)


@pytest.mark.parametrize("name", [pytest.param("HARD_BLOCK", id="response:V204")])
def test_a_verdict_is_advice(world: World, service: AbuseService, name: str) -> None:
    seen = len(logged(world.gateway, "abuse_verdict", 0))
    service.say(verdict(77, name, signals=["known_abuser", "your prompt, for example"]))
    ask_whole(world)
    assert service.asked()["kilo_user_id"] == world.account.user_id
    line = logged(world.gateway, "abuse_verdict", seen + 1)[-1]
    said = {
        "level": "warning",
        "user": world.account.user_id,
        "verdict": name,
        "risk_score": 0.25,
        "signals": ["known_abuser", "other"],
        "identity_key": "idk:1",
        "requests_per_second": 1.5,
        "abuse_request_id": 77,
    }
    assert line.items() >= said.items()
    assert service.told() == {
        "kilo_user_id": world.account.user_id,
        "ip_address": "127.0.0.1",
        "ja4_digest": None,
        "user_agent": None,
        "request_id": 77,
        "message_id": "gen-1",
        "cost": 21,
        "requested_model": "a/b",
        "input_tokens": 10,
        "output_tokens": 2,
        "cache_write_tokens": 4,
        "cache_hit_tokens": 3,
    }


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(verdict(0), id="response:V205"),
        pytest.param(verdict(None), id="response:V205-null"),
        pytest.param(b"{}", id="response:V207"),
        pytest.param(b'{"verdict":"ALLOW"}', id="response:V207-bare"),
        pytest.param(b"not JSON", id="response:V207-garbage"),
    ],
)
def test_without_an_id_nothing_is_told(world: World, service: AbuseService, said: bytes) -> None:
    service.say(said)
    ask_whole(world)
    service.asked()
    assert_untold(world, service)


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (302, {"Location": "http://127.0.0.1:9/elsewhere"})])
def test_other_answers_are_none(world: World, service: AbuseService, status: int, headers: dict[str, str]) -> None:
    """Redirects are not followed."""
    service.say(verdict(), status, **headers)
    ask_whole(world)
    service.asked()
    assert_untold(world, service)


@pytest.mark.parametrize("cost", [pytest.param(0.008304, id="response:V206")])
def test_the_cost_is_the_real_one(world: World, service: AbuseService, cost: float) -> None:
    answer = world.ask(whole(200, answer_of("gen-1", cost)), model="giga-potato-thinking", is_stream=False)
    assert answer.status == 200
    assert service.asked()["requested_model"] == "giga-potato-thinking"
    told = service.told()
    assert (told["request_id"], told["message_id"], told["cost"]) == (77, "gen-1", 8304)
    row = world.row()
    assert (row.cost_microdollars, row.market_cost_microdollars) == (0, 8304)


def test_what_is_asked(world: World, service: AbuseService) -> None:
    """11.2, in its order; prompts stay here, and headers of an edge count only from a trusted proxy."""
    world.upstream.say(whole(200, answer_of("gen-1")))
    body = body_for("A/B", False) | {"max_tokens": 7, "transforms": ["middle-out"], "tools": [{"type": "function"}]}
    headers = {
        **world.account.headers,
        "user-agent": "Kilo-Code/4.2",
        "x-vercel-ip-city": "Berlin",
        "x-kilocode-projectid": "https://host.example/me/mine.git",
        "x-kilocode-editorname": "vim",
    }
    assert ask(world.gateway, request(body, PATH.encode(), headers)).status == 200
    sent = service.classified.get(timeout=20)
    assert list(sent.body.items()) == [
        ("kilo_user_id", world.account.user_id),
        ("organization_id", None),
        ("project_id", "mine"),
        ("ip_address", "127.0.0.1"),
        ("geo_city", None),
        ("geo_country", None),
        ("geo_latitude", None),
        ("geo_longitude", None),
        ("ja4_digest", None),
        ("user_agent", "Kilo-Code/4.2"),
        ("provider", "openrouter"),
        ("requested_model", "a/b"),
        ("user_prompt", None),
        ("system_prompt", None),
        ("max_tokens", 7),
        ("has_middle_out_transform", True),
        ("has_tools", True),
        ("streamed", False),
        ("is_user_byok", False),
        ("editor_name", "vim"),
        ("feature", "direct-gateway"),
    ]
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["cf-access-client-id"] == "ann"
    assert sent.headers["cf-access-client-secret"] == "s3cret-of-ours"
    assert service.told()["user_agent"] == "Kilo-Code/4.2"


def test_an_endpoint_of_ones_own_is_byok(world: World, service: AbuseService) -> None:
    world.register_endpoint("acme")
    answer = world.ask(whole(200, answer_of("gen-own", 0.000005)), model="acme/m", is_stream=False)
    assert answer.status == 200
    asked = service.asked()
    assert (asked["provider"], asked["is_user_byok"]) == ("custom", True)
    assert service.told()["message_id"] == "gen-own"


def test_a_stream_is_told_of_as_well(world: World, service: AbuseService) -> None:
    event = b"data: " + answer_of("gen-s").replace(b'"message"', b'"delta"') + b"\n\ndata: [DONE]\n\n"
    assert world.ask(*stream(event, 9), model="a/b").is_done
    assert service.asked()["streamed"] is True
    assert service.told()["message_id"] == "gen-s"


def test_a_refusal_is_judged_and_not_told_of(world: World, service: AbuseService) -> None:
    assert world.ask(whole(400, b'{"error":{"message":"no"}}'), model="a/b", is_stream=False).status == 400
    service.asked()
    assert_untold(world, service)
