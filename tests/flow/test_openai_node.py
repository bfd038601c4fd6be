"""The official Node client against the running gateway. Collected only where node and npm are (tests/conftest.py)."""

import pytest

from flow.accounts import Account, Accounts
from flow.node_client import NodeClient
from flow.programs import Gateway
from flow.usage_rows import usage_of
from tollway.identity.keys import make_key

PREFIXES = ("/v1", "/api/openrouter")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> NodeClient:
    return NodeClient(tmp_path_factory.mktemp("node"))


@pytest.fixture(params=PREFIXES)
def base_url(request: pytest.FixtureRequest, gateway: Gateway) -> str:
    return f"{gateway.url}{request.param}"


def test_a_plain_answer(node: NodeClient, base_url: str, accounts: Accounts, account: Account) -> None:
    seen = node.run(base_url, account.key, "plain")
    assert seen["content"]
    assert seen["finish_reason"] == "stop"
    assert seen["charge"] == int(seen["usage"]["cost"] * 1_000_000 + 0.5) > 0
    assert [(row.id, row.cost) for row in usage_of(accounts, account)] == [(seen["request_id"], seen["charge"])]
    assert accounts.balance(account) == 10_000_000 - seen["charge"]


def test_a_stream(node: NodeClient, base_url: str, accounts: Accounts, account: Account) -> None:
    seen = node.run(base_url, account.key, "stream")
    assert seen["content"] == node.run(base_url, account.key, "plain")["content"]
    assert seen["finish_reason"] == "stop"
    charges = [row.cost for row in usage_of(accounts, account)]
    assert charges[0] == int(seen["usage"]["cost"] * 1_000_000 + 0.5) > 0
    assert accounts.balance(account) == 10_000_000 - sum(charges)


@pytest.mark.parametrize("scenario", ["tools", "streamed_tools"])
def test_a_tool_is_called_and_its_result_is_read(
    node: NodeClient, base_url: str, account: Account, scenario: str
) -> None:
    assert node.run(base_url, account.key, scenario) == {
        "finish_reason": "tool_calls",
        "name": "weather",
        "arguments": {"city": "stand-in"},
        "answer": 'The tool answered: "rain, 12 °C"',
    }


def test_models_are_listed(node: NodeClient, base_url: str) -> None:
    assert {"sim/story", "sim/toolsmith"} <= set(node.run(base_url, "unused", "models")["ids"])


@pytest.mark.parametrize("scenario", ["plain", "stream"])
@pytest.mark.parametrize("key", [make_key("0" * 30), "sk-other", "a.b.c"], ids=["unknown", "foreign", "token"])
def test_a_useless_key_is_a_401(node: NodeClient, base_url: str, key: str, scenario: str) -> None:
    seen = node.run(base_url, key, scenario)
    assert (seen["raised"], seen["status"]) == ("AuthenticationError", 401)


@pytest.mark.parametrize("scenario", ["plain", "stream"])
def test_no_credits_is_a_402(node: NodeClient, base_url: str, accounts: Accounts, scenario: str) -> None:
    seen = node.run(base_url, accounts.create(0).key, scenario)
    assert (seen["raised"], seen["status"]) == ("APIError", 402)


@pytest.mark.parametrize("scenario", ["plain", "stream"])
def test_an_unknown_model_is_a_404(node: NodeClient, base_url: str, account: Account, scenario: str) -> None:
    seen = node.run(base_url, account.key, scenario, model="sim/nothing")
    assert (seen["raised"], seen["status"]) == ("NotFoundError", 404)


@pytest.mark.parametrize("fault", ["reset", "end_early"])
def test_a_broken_stream_raises(node: NodeClient, base_url: str, account: Account, fault: str) -> None:
    assert node.run(base_url, account.key, "stream", sim={"fault": fault, "at": 5})["raised"] == "APIError"
