"""/v1/messages and /v1/responses on ordinary models: the money, and what goes wrong, in the words of the dialect."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Answer, Conversation, ask, wait_for_end
from flow.programs import Gateway, Sim
from flow.usage_rows import attempts_at, usage_of

PATHS = ("/v1/messages", "/v1/responses")
both = pytest.mark.parametrize("path", PATHS)


def body_for(path: str, model: str = "sim/story", stream: bool = False, **more: Any) -> dict[str, object]:
    if path == "/v1/messages":
        said = {"messages": [{"role": "user", "content": "Tell me."}], "max_tokens": 500}
    else:
        said = {"input": "Tell me.", "max_output_tokens": 500}
    return {"model": model, "stream": stream, **said, **more}


def events(answer: Answer) -> list[Any]:
    return [json.loads(data) for data in answer.data]


@both
def test_an_answer_costs_what_it_costs_in_chat(
    gateway: Gateway, accounts: Accounts, account: Account, path: str
) -> None:
    before = accounts.balance(account)
    answer = ask(gateway, account, body_for(path), path)
    assert answer.status == 200
    charge = int(answer.headers["x-tollway-charge-microdollars"])
    assert charge == before - accounts.balance(account) > 0
    (row,) = usage_of(accounts, account)
    assert (row.id, row.cost, row.basis) == (answer.request_id, charge, "reported")
    told = answer.json["usage"]["output_tokens"]
    assert told == row.completion_tokens > 0


@both
def test_a_stream_costs_what_it_costs_in_chat(
    gateway: Gateway, accounts: Accounts, account: Account, path: str
) -> None:
    before = accounts.balance(account)
    answer = ask(gateway, account, body_for(path, stream=True), path)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.whole
    told = events(answer)
    assert told[-1]["type"] == ("message_stop" if path == "/v1/messages" else "response.completed")
    (row,) = usage_of(accounts, account)
    assert before - accounts.balance(account) == row.cost > 0
    usage = told[-2]["usage"] if path == "/v1/messages" else told[-1]["response"]["usage"]
    assert usage["output_tokens"] == row.completion_tokens


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
def test_messages_takes_both_kinds_of_credential(gateway: Gateway, account: Account, header: str) -> None:
    value = account.key if header == "x-api-key" else f"Bearer {account.key}"
    assert _post(gateway, {header: value, "anthropic-version": "2023-06-01"}, "/v1/messages").status == 200


def test_responses_and_chat_take_only_one(gateway: Gateway, account: Account) -> None:
    for path in ("/v1/responses", "/v1/chat/completions"):
        assert _post(gateway, {"x-api-key": account.key}, path).status == 401


@both
def test_refusals_are_in_the_dialects_words(gateway: Gateway, accounts: Accounts, account: Account, path: str) -> None:
    poor = accounts.create(0)
    for status, answer in (
        (401, _post(gateway, {}, path)),
        (402, ask(gateway, poor, body_for(path), path)),
        (404, ask(gateway, account, body_for(path, "no/model"), path)),
        (400, ask(gateway, account, body_for(path, tools=[{"type": "web_search_20250305", "name": "x"}]), path)),
        (400, ask(gateway, account, b"{bad", path)),  # type: ignore[arg-type]
        (400, ask(gateway, account, body_for(path, max_tokens=-1, max_output_tokens=-1), path)),
    ):
        assert answer.status == status
        error = answer.json["error"]
        assert error["message"]
        assert answer.headers["x-request-id"]
        assert (answer.json.get("type") == "error") == (path == "/v1/messages")
        assert usage_of(accounts, account) == []


@both
def test_an_upstreams_refusal_is_in_the_dialects_words(gateway: Gateway, account: Account, path: str) -> None:
    """The stand-in does not know the model."""
    answer = ask(gateway, account, body_for(path, "dead/model"), path)
    assert answer.status == 502
    assert answer.json["error"]["message"]


def test_tokens_are_not_counted_in_advance(gateway: Gateway, account: Account) -> None:
    assert _post(gateway, account.headers, "/v1/messages/count_tokens").status == 404


@both
def test_another_method_is_not_allowed(gateway: Gateway, path: str) -> None:
    with Conversation(gateway) as conversation:
        conversation._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        assert conversation.read_answer().status == 405


@both
def test_a_query_is_for_the_dialect_alone(gateway: Gateway, sim: Sim, account: Account, path: str) -> None:
    answer = ask(gateway, account, body_for(path), f"{path}?beta=true")
    assert answer.status == 200
    (record,) = attempts_at(sim, answer.request_id)
    assert "beta" not in json.dumps(record)


@both
def test_a_client_that_leaves_is_charged(gateway: Gateway, accounts: Accounts, account: Account, path: str) -> None:
    with Conversation(gateway) as conversation:
        conversation.ask(account, body_for(path, stream=True), path)
        conversation.read_until(b"delta")
    line = wait_for_end(gateway, account)
    assert line["status"] == 200
    assert [row.cost > 0 for row in usage_of(accounts, account)] == [True]


@both
def test_a_connection_may_change_its_dialect(gateway: Gateway, account: Account, path: str) -> None:
    with Conversation(gateway) as conversation:
        for each in (path, "/v1/chat/completions", path):
            said = {} if each == path else {"messages": [{"role": "user", "content": "hi"}]}
            conversation.ask(account, {**body_for(path), **said}, each)
            answer = conversation.read_answer()
            assert ("choices" in answer.json) == (each != path)


def _post(gateway: Gateway, headers: Mapping[str, str], path: str) -> Answer:
    body = body_for(path) if path in PATHS else {"model": "sim/story", "messages": [{"role": "user", "content": "x"}]}

    class Headers:
        def __init__(self) -> None:
            self.headers = headers

    return ask(gateway, Headers(), body, path)  # type: ignore[arg-type]
