"""What an upstream is sent, byte for byte: conversations repaired, users under names that are hashes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flow import raw
from flow.accounts import Account, Accounts
from flow.conversation import ask
from flow.programs import Gateway, settings_for
from tollway.providers.user_hashes import hash_payload
from vectors.upstream import Upstream

USER = {"role": "user", "content": "where is the canary?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"for":"canary"}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
CREATED = {"role": "tool", "tool_call_id": "c1", "content": "Tool execution was interrupted before completion."}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "the canary is here"}
ORPHAN = {"role": "tool", "tool_call_id": "c2", "content": "the canary is there"}


@pytest.fixture(scope="module")
def keeper() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, keeper: Upstream) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    program = Gateway(folder, settings_for(folder, keeper.url))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def caller(here: Gateway) -> Account:
    return Accounts(here.config).create()


def test_a_conversation_arrives_repaired(here: Gateway, keeper: Upstream, caller: Account) -> None:
    messages = [USER, {**CALLING, "tool_calls": [CALL, CALL]}, USER, CALLING, RESULT, ORPHAN, USER]
    answer = ask(here, caller, {"model": "sim/story", "messages": messages})
    assert answer.status == 200
    assert keeper.next().body["messages"] == [USER, CALLING, CREATED, USER, CALLING, RESULT, USER]
    line = _next_repair(here)
    assert line["request_id"] == answer.request_id
    once = {"count": 1, "first": [{"tool": "search", "id": "c1"}]}
    assert (line["removed_calls"], line["inserted_results"]) == (once, once)
    assert line["deleted_results"] == {"count": 1, "first": [{"tool": "", "id": "c2"}]}
    assert "canary" not in "".join(here.lines)


def _next_repair(gateway: Gateway) -> dict[str, Any]:
    while True:
        line: dict[str, Any] = json.loads("{" + gateway.wait_for("{"))
        if line["event"] == "tools_repaired":
            return line


def test_a_whole_conversation_arrives_as_it_was(here: Gateway, keeper: Upstream, caller: Account) -> None:
    messages = [USER, CALLING, RESULT, USER]
    repaired = sum("tools_repaired" in line for line in here.lines)
    assert ask(here, caller, {"model": "sim/story", "messages": messages}).status == 200
    assert keeper.next().body["messages"] == messages
    assert sum("tools_repaired" in line for line in here.lines) == repaired


def test_users_have_a_name_that_only_this_deployment_can_make(here: Gateway, keeper: Upstream, caller: Account) -> None:
    """Whatever they say themselves; the same for each request, another one at another upstream."""
    secret = (here.folder / "user-hash-secret").read_text()
    for model, upstream in (("sim/story", "sim"), ("sim/story", "sim"), ("plain/story", "plain")):
        body = {"model": model, "messages": [USER], "user": "mine", "safety_identifier": {"x": 1}}
        assert ask(here, caller, body).status == 200
        sent = keeper.next()
        name = hash_payload(secret, upstream, caller.user_id)
        assert (sent.body["user"], sent.body["safety_identifier"]) == (name, name)
        assert caller.user_id.encode() not in sent.text
        assert secret.encode() not in sent.text


def test_a_task_has_a_name_for_the_cache(here: Gateway, keeper: Upstream, caller: Account) -> None:
    """By the header, in either spelling; without one the client's own word stays."""
    secret = (here.folder / "user-hash-secret").read_text()
    name = hash_payload(secret, "sim", caller.user_id + "task-1")
    for headers, expected in (
        ({"x-kilocode-taskid": "task-1"}, name),
        ({"X-Tollway-TaskId": "task-1"}, name),
        ({}, "mine"),
    ):
        body = json.dumps({"model": "sim/story", "messages": [USER], "prompt_cache_key": "mine"}).encode()
        assert raw.ask(here, raw.request(body, b"/v1/chat/completions", {**caller.headers, **headers})).status == 200
        assert keeper.next().body["prompt_cache_key"] == expected
