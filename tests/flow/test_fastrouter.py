"""FastRouter as an upstream of a gateway: a key of the operator and one [[models]] table make a model of it routable.

The same records serve `tollway run` at the other end, so a question of a developer goes the whole way.
Source: catalog-and-clients C.9, C.12; request-path 8.6, 11.1, 11.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flow import raw
from flow.accounts import Account, Accounts
from flow.conversation import ask
from flow.machine import Machine
from flow.programs import Gateway, settings_for
from servers.chats import ChatServer, chat_server, says
from tollway.providers.user_hashes import hash_payload

KEY = "sk-fake-key-of-the-operator"
SAID = "0.000123"  # USD; list prices would make another sum of it
USAGE = {"prompt_tokens": 12, "completion_tokens": 34, "cost": float(SAID)}
MODELS = """
[[models]]
id = "fast/haiku"
provider = "fastrouter"
upstream_model = "anthropic/claude-haiku-4.5"
prompt_usd_per_million = "1"
completion_usd_per_million = "5"

[[models]]
id = "fast/google-flash"
provider = "fastrouter"
upstream_model = "google/gemini-3-flash"
prompt_usd_per_million = "1"
completion_usd_per_million = "5"

[providers.fastrouter]
base_url = "{url}/api/v1"
"""
USER = [{"role": "user", "content": "hi"}]


@dataclass(frozen=True)
class Road:
    """A gateway, FastRouter behind it, and somebody with 10 USD before it."""

    gateway: Gateway
    fastrouter: ChatServer
    accounts: Accounts
    account: Account

    @property
    def secret(self) -> str:
        return (self.gateway.folder / "user-hash-secret").read_text()


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    with chat_server() as server:
        server.answer(says("hello", **USAGE))
        settings = settings_for(folder, server.url, models=MODELS.format(url=server.url))
        program = Gateway(folder, settings, {"FASTROUTER_API_KEY": KEY})
        accounts = Accounts(program.config)
        yield Road(program, server, accounts, accounts.create())
        assert program.stop() == 0
        assert accounts.differences() == ()


@pytest.fixture(autouse=True)
def fresh(road: Road) -> None:
    road.fastrouter.asked.clear()
    road.fastrouter.bodies.clear()


@pytest.mark.parametrize("given", [{}, {"usage": {"include": False}}], ids=["unasked", "declined"])
def test_it_is_asked_as_its_dialect_wants_and_charged_what_it_says(road: Road, given: dict[str, object]) -> None:
    before = road.accounts.spent(road.account)
    answer = ask(road.gateway, road.account, {"model": "fast/haiku", "messages": USER, "stream": True, **given})
    assert (answer.status, answer.text, answer.is_done) == (200, "hello", True)
    (sent,) = road.fastrouter.chats
    (body,) = road.fastrouter.bodies
    assert (sent.path, sent.headers["authorization"]) == ("/api/v1/chat/completions", f"Bearer {KEY}")
    assert {"http-referer", "x-title"} <= set(sent.headers)
    assert (body["model"], body["usage"]) == ("anthropic/claude-haiku-4.5", {"include": True})
    name = hash_payload(road.secret, "fastrouter", road.account.user_id)
    assert (body["user"], body["safety_identifier"]) == (name, name)
    assert road.accounts.spent(road.account) - before == 123, "what the answer says, not what the list would"


def test_a_task_has_a_name_for_its_cache(road: Road) -> None:
    body = b'{"model":"fast/haiku","messages":[{"role":"user","content":"hi"}],"prompt_cache_key":"mine"}'
    headers = {**road.account.headers, "X-Tollway-TaskId": "task-1"}
    assert raw.ask(road.gateway, raw.request(body, raw.CHAT, headers)).status == 200
    assert raw.ask(road.gateway, raw.request(body, raw.CHAT, road.account.headers)).status == 200
    name = hash_payload(road.secret, "fastrouter", road.account.user_id + "task-1")
    assert [sent["prompt_cache_key"] for sent in road.fastrouter.bodies] == [name, "mine"]


def test_without_a_key_it_is_not_called(tmp_path: Path, road: Road) -> None:
    """Nor with an empty one. Source: request-path 8.6.3."""
    settings = settings_for(tmp_path, road.fastrouter.url, models=MODELS.format(url=road.fastrouter.url))
    gateway = Gateway(tmp_path, settings)
    try:
        account = Accounts(gateway.config).create()
        assert ask(gateway, account, {"model": "fast/haiku", "messages": USER}).status == 503
        assert road.fastrouter.asked == []
    finally:
        assert gateway.stop() == 0


def test_a_question_from_a_terminal_goes_the_whole_way(tmp_path: Path, road: Road) -> None:
    """The footer of `tollway run` is what the books say."""
    before = road.accounts.spent(road.account)
    machine = Machine(tmp_path, {"TOLLWAY_API_URL": road.gateway.url, "TOLLWAY_API_KEY": road.account.key})
    listed = machine.tollway("models", "tollway")
    assert "tollway/fast/haiku" in listed.out.splitlines()
    ended = machine.tollway("run", "-m", "tollway/fast/haiku", "hi")
    assert (ended.code, ended.out) == (0, "hello\n")
    assert ended.err == f"tollway/fast/haiku · tokens 12 in, 34 out · cost ${SAID} (said by Tollway)\n"
    assert road.accounts.spent(road.account) - before == 123
    (sent,) = road.fastrouter.chats
    assert (sent.headers["authorization"], road.account.key in str(sent)) == (f"Bearer {KEY}", False)


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [("tollway/fast/haiku", {"effort": "minimal"}), ("tollway/fast/google-flash", {"enabled": False})],
)
def test_what_a_small_model_is_asked_arrives(
    tmp_path: Path, road: Road, model: str, reasoning: dict[str, object]
) -> None:
    """C.9.4: for titles and summaries nobody pays for thinking."""
    machine = Machine(tmp_path, {"TOLLWAY_API_URL": road.gateway.url, "TOLLWAY_API_KEY": road.account.key})
    machine.config = {"small_model": model}
    assert machine.tollway("run", "--small", "a title, please").code == 0
    (body,) = road.fastrouter.bodies
    assert body["reasoning"] == reasoning
