"""Vectors of catalog-and-clients G.9 and G.2 that concern `tollway run`: C-03, C-09 to C-19, K-24 and K-25.

The gateway that they ask is one of the tests. C-20 needs the published client of the reference.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flow.machine import Machine
from servers.chats import Answer, ChatServer, chat_server, delta, refuses, says
from tollway.catalog.client_model import Cost
from tollway.client.spending import CostSource, Spent, spent_of
from tollway.wire.usage import read_usage

KEY = "sk-fake-key-of-a-test"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, server: ChatServer) -> Machine:
    return Machine(tmp_path, {"FASTROUTER_API_KEY": KEY}, server.config())


@pytest.mark.parametrize("text", [pytest.param("{", id="catalog:C-03-run")])
def test_a_broken_store_stops_it(machine: Machine, server: ChatServer, text: str) -> None:
    machine.put_store(text)
    ended = machine.tollway("run", "-m", "fastrouter/a/b", "hi")
    assert (ended.code, ended.out, server.asked) == (1, "", [])
    assert str(machine.store) in ended.err
    assert machine.store.read_text() == text


@pytest.mark.parametrize(("named", "sent"), [pytest.param("fastrouter/a/b", "a/b", id="catalog:C-09")])
def test_the_model_is_sent_without_its_provider(machine: Machine, server: ChatServer, named: str, sent: str) -> None:
    assert machine.tollway("run", "-m", named, "hi").code == 0
    assert [body["model"] for body in server.bodies] == [sent]


@pytest.mark.parametrize("piped", [pytest.param("", id="catalog:C-10"), pytest.param(" \n", id="catalog:C-10-blank")])
def test_nothing_is_asked_without_a_question(machine: Machine, server: ChatServer, piped: str) -> None:
    ended = machine.tollway("run", "-m", "fastrouter/a/b", stdin=piped)
    assert (ended.code, ended.out, server.asked) == (1, "", [])


@pytest.mark.parametrize(
    ("words", "piped", "message"),
    [
        pytest.param(["Say hi", "now"], "a\nb\n", "Say hi now\na\nb\n", id="catalog:C-11"),
        pytest.param(["Say hi"], "", "Say hi", id="catalog:C-11-words"),
        pytest.param([], "only this", "only this", id="catalog:C-11-piped"),
    ],
)
def test_words_and_what_is_piped(
    machine: Machine, server: ChatServer, words: list[str], piped: str, message: str
) -> None:
    assert machine.tollway("run", "-m", "fastrouter/a/b", *words, stdin=piped).code == 0
    assert server.bodies[0]["messages"] == [{"role": "user", "content": message}]


C_12 = {
    "prompt_tokens": 1200,
    "prompt_tokens_details": {"cached_tokens": 200},
    "completion_tokens": 34,
    "completion_tokens_details": {"reasoning_tokens": 4},
    "cost": 0.00411,
}
TOKENS = {"total": 1234, "input": 1000, "output": 30, "reasoning": 4, "cache": {"read": 200, "write": 0}}


@pytest.mark.parametrize(("usage", "tokens", "cost"), [pytest.param(C_12, TOKENS, "0.00411", id="catalog:C-12")])
def test_what_was_used(
    machine: Machine, server: ChatServer, usage: dict[str, Any], tokens: dict[str, Any], cost: str
) -> None:
    server.answer(says("hello", **usage))
    told = machine.tollway("run", "-m", "fastrouter/a/b", "hi", "--format", "json").out.splitlines()
    finish = json.loads(told[-1], parse_float=Decimal)
    assert (finish["type"], finish["tokens"], finish["cost"]) == ("step_finish", tokens, Decimal(cost))
    assert finish["cost_source"] == "gateway"
    footer = machine.tollway("run", "-m", "fastrouter/a/b", "hi").err
    assert "tokens 1,000 in, 30 out, 4 reasoning, 200 cache read · cost $0.00411 (said by FastRouter)" in footer


def spent(usage: dict[str, Any], prices: Cost | None) -> Spent:
    return spent_of(read_usage(json.dumps(usage).encode()), prices)


@pytest.mark.parametrize(
    ("completion", "reasoning", "output"),
    [pytest.param(10, 25, 0, id="catalog:C-13"), pytest.param(25, 10, 15, id="catalog:C-13-usual")],
)
def test_output_is_never_negative(completion: int, reasoning: int, output: int) -> None:
    details = {"reasoning_tokens": reasoning}
    tokens = spent({"completion_tokens": completion, "completion_tokens_details": details}, None).tokens
    assert tokens
    assert tokens.output == output


@pytest.mark.parametrize(
    ("cached", "cost"),
    [pytest.param(0, "0.00351", id="catalog:C-14"), pytest.param(200, "0.00357", id="catalog:C-14-cached")],
)
def test_a_cost_that_is_not_said_is_computed(cached: int, cost: str) -> None:
    prices = Cost(Decimal(3), Decimal(15), Decimal("0.3"))
    usage = {
        "prompt_tokens": 1000 + cached,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens": 34,
    }
    found = spent(usage, prices)
    assert (found.cost, found.source) == (Decimal(cost), CostSource.COMPUTED)


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        pytest.param({"error": {"message": "out of luck", "code": 502}}, "out of luck", id="catalog:C-15"),
        pytest.param({"error": "out of luck", "choices": []}, "out of luck", id="catalog:C-15-text"),
    ],
)
def test_an_error_inside_a_stream(machine: Machine, server: ChatServer, event: dict[str, Any], shown: str) -> None:
    server.answer(Answer([delta(content="partial"), event]))
    ended = machine.tollway("run", "-m", "fastrouter/a/b", "hi")
    assert (ended.code, ended.out, len(server.bodies)) == (1, "partial\n", 1)
    assert shown in ended.err
    assert "tokens - · cost -" in ended.err


@pytest.mark.parametrize("wait", [pytest.param("1", id="catalog:C-16")])
def test_retry_after_is_obeyed(machine: Machine, server: ChatServer, wait: str) -> None:
    busy = refuses(429, {"error": {"message": "slow down"}}, Retry_After=wait)
    server.answer(busy, busy, says("hello"))
    ended = machine.tollway("run", "-m", "fastrouter/a/b", "hi")
    assert (ended.code, ended.out, len(server.bodies)) == (0, "hello\n", 3)
    assert ended.err.count("slow down; trying again in 1 s") == 2


@pytest.mark.parametrize(
    "status", [pytest.param(status, id=f"catalog:C-17-{status}") for status in (400, 401, 402, 403, 404, 422)]
)
def test_what_is_refused_is_not_asked_again(machine: Machine, server: ChatServer, status: int) -> None:
    server.answer(refuses(status, {"error": {"message": "because", "code": status}}, X_Request_Id="req-7"))
    ended = machine.tollway("run", "-m", "fastrouter/a/b", "hi")
    assert (ended.code, ended.out, len(server.bodies)) == (1, "", 1)
    assert "Error: because (request req-7)\n" in ended.err


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(
            {"error": "Model not allowed for your team.", "message": "Ask an owner."},
            "Error: Not Found: Model not allowed for your team.: Ask an owner.",
            id="catalog:C-18",
        )
    ],
)
def test_an_error_that_is_a_text(machine: Machine, server: ChatServer, body: dict[str, Any], shown: str) -> None:
    server.answer(refuses(404, body))
    ended = machine.tollway("run", "-m", "fastrouter/a/b", "hi")
    assert (ended.code, len(server.bodies)) == (1, 1)
    assert shown in ended.err


@pytest.mark.parametrize("path", [pytest.param("/api/gateway/chat/completions", id="catalog:C-19-run")])
def test_our_own_gateway_without_a_token(machine: Machine, server: ChatServer, path: str) -> None:
    server.models = [{"id": "a/b", "context_length": 1000}]
    machine.config = None
    assert machine.tollway("run", "-m", "tollway/a/b", "hi", TOLLWAY_API_URL=server.url).out == "hello\n"
    (asked,) = server.chats
    assert asked.path == path
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("listed", [pytest.param("GET", id="catalog:K-24-run")])
def test_only_the_chat_carries_the_key(machine: Machine, server: ChatServer, listed: str) -> None:
    assert machine.tollway("run", "-m", "fastrouter/a/b", "hi").code == 0
    keys = {asked.method: asked.headers.get("authorization") for asked in server.asked}
    assert keys == {listed: None, "POST": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("configured", "stored", "expected"),
    [
        pytest.param("A", "B", "A", id="catalog:K-25-run-configuration"),
        pytest.param("", "B", "B", id="catalog:K-25-run-store"),
        pytest.param("", "", KEY, id="catalog:K-25-run-environment"),
    ],
)
def test_whose_key_is_used(machine: Machine, server: ChatServer, configured: str, stored: str, expected: str) -> None:
    """At a gateway whose list is asked for with the key: list and chat agree."""
    machine.config = {"provider": {"openai": {"options": {"baseURL": f"{server.url}/v1", "apiKey": configured}}}}
    if stored:
        machine.put_store(json.dumps({"openai": {"type": "api", "key": stored}}))
    assert machine.tollway("run", "-m", "openai/a/b", "hi", OPENAI_API_KEY=KEY).code == 0
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {expected}"}
