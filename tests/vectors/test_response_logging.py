"""Vectors V199 to V201 of response-path §16.12: whose requests are kept, and what of them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask as converse
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.gateway.transcripts import Transcripts
from tollway.settings import RequestLogSettings
from unit.gateway.fakes import ANONYMOUS, CALLER
from vectors.oversight import KEPT, kept_of, overseen
from vectors.scripted import ScriptedUpstream, stream, whole
from vectors.test_request_own_keys import TEXT, gateway_settings
from vectors.test_request_own_keys import World as KeyWorld
from vectors.upstream import Upstream
from vectors.world import PATH, World, body_for


@pytest.mark.parametrize(
    ("email", "is_kept"),
    [
        pytest.param("a@acme.test", True, id="response:V199"),
        pytest.param("A@Acme.TEST", True, id="response:V199-case"),
        pytest.param("a@evilacme.test", False, id="response:V199-other-domain"),
        pytest.param(None, False, id="response:V199-anonymous"),
    ],
)
def test_whose_requests_are_kept(email: str | None, is_kept: bool) -> None:
    transcripts = Transcripts(RequestLogSettings(email_suffixes=("@acme.test",)), store=None)
    caller = ANONYMOUS if email is None else replace(CALLER, email=email)
    assert transcripts.wants(caller) is is_kept


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyWorld]:
    folder: Path = tmp_path_factory.mktemp("kept-keys")
    upstreams = {name: Upstream() for name in ("openrouter", "vercel")}
    gateway = Gateway(folder, f"{KEPT}\n{gateway_settings(folder, upstreams)}")
    yield KeyWorld(gateway, Accounts(gateway.config), upstreams)
    assert gateway.stop() == 0
    for one in upstreams.values():
        one.close()


@pytest.mark.parametrize("secret", [pytest.param(TEXT, id="response:V200")])
def test_own_keys_are_masked_where_the_request_is_kept(keys: KeyWorld, secret: str) -> None:
    """And the upstream has the real one."""
    model = "z-ai/glm-5"
    account = keys.accounts.create()
    keys.give("zai", secret, user=account.user_id)
    answer = ask(keys.gateway, request(body_for(model, False), PATH.encode(), account.headers))
    assert answer.status == 200
    sent = keys.upstreams["vercel"].next()
    assert {entry["apiKey"] for entry in sent.body["providerOptions"]["gateway"]["byok"]["zai"]} == {secret}
    (row,) = kept_of(keys.accounts, account.user_id)
    assert {entry["apiKey"] for entry in row.request["providerOptions"]["gateway"]["byok"]["zai"]} == {"***"}
    assert _unmasked(row.request, secret) == sent.body
    assert (row.provider_id, row.model, row.status_code) == ("vercel", model, 200)
    assert not any(secret in line for line in keys.gateway.lines)
    assert secret.encode() not in (keys.gateway.folder / "tollway.db").read_bytes()


def _unmasked(tree: Any, secret: str) -> Any:
    return json.loads(json.dumps(tree).replace('"***"', json.dumps(secret)))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, scripted: ScriptedUpstream) -> Iterator[Gateway]:
    with overseen(tmp_path_factory.mktemp("kept"), scripted, KEPT) as gateway:
        yield gateway


@pytest.fixture
def world(kept: Gateway, scripted: ScriptedUpstream) -> World:
    return World(kept, scripted, Accounts(kept.config))


EVENTS = (
    b'data: {"id":"gen-1","model":"ep-2026","choices":[{"index":0,"delta":{"content":"Hi\\u0000"}}]}\r\n\r\n'
    b": upstream alive\n\ndata: {bad\n\n"
    b'data: {"id":"gen-1","model":"ep-2026","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":2,"cost":0.0001}}\n\ndata: [DONE]\n\n'
)
BODY = json.dumps(
    {
        "id": "gen-2",
        "model": "ep-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.0001},
    }
).encode()


@pytest.mark.parametrize("size", [pytest.param(0, id="response:V201"), pytest.param(7, id="response:V201-in-pieces")])
def test_the_stored_stream_is_the_upstreams(world: World, size: int) -> None:
    answer = world.ask(*stream(EVENTS, size))
    assert answer.is_done
    assert b"ep-2026" not in answer.body
    (row,) = kept_of(world.accounts, world.account.user_id)
    assert row.response.encode() == EVENTS
    assert row.request["model"].startswith("ep-")
    assert row.request["stream_options"] == {"include_usage": True}
    assert (row.id, row.model, row.status_code) == (answer.request_id, "giga-potato-thinking", 200)
    assert row.organization_id is None


@pytest.mark.parametrize("body", [pytest.param(BODY, id="response:V201-whole")])
def test_the_stored_body_is_the_upstreams(world: World, body: bytes) -> None:
    answer = world.ask(whole(200, body), is_stream=False)
    assert answer.json["model"] == "giga-potato-thinking"
    (row,) = kept_of(world.accounts, world.account.user_id)
    assert row.response.encode() == body


def test_refusals_are_kept_and_what_got_no_answer_is_not(world: World, scripted: ScriptedUpstream) -> None:
    """§0.1, 10.3: also the 402 that becomes a 503; an upstream's words about our key are redacted."""
    error = b'{"error":{"message":"key sk-not-a-real-key-at-all has no credits"}}'
    assert world.ask(whole(402, error), model="a/b", is_stream=False).status == 503
    assert world.ask(None, model="a/b", is_stream=False).status == 502
    assert world.ask(whole(204, b""), model="a/b", is_stream=False).status == 502
    assert world.ask(whole(200, BODY), model="a/b", is_stream=False).status == 200
    rows = kept_of(world.accounts, world.account.user_id, 2)
    assert [row.status_code for row in rows] == [402, 200]
    assert rows[0].response == error.decode().replace("not-a-real-key-at-all", "***")


def test_nobody_is_kept_by_default(scripted_gateway: Gateway, scripted: ScriptedUpstream) -> None:
    accounts = Accounts(scripted_gateway.config)
    account: Account = accounts.create()
    scripted.say(whole(200, BODY))
    assert converse(scripted_gateway, account, body_for("a/b", False), PATH).status == 200
    assert kept_of(accounts, account.user_id, 0) == []
