"""Vectors K-01 to K-25 of catalog-and-clients G.2: whose key is used, and when models are asked for."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flow.machine import Machine
from servers.lists import ListServer, list_server
from tollway.client.configuration import ClientConfig, Layer, Rank, read_config
from tollway.client.credentials import ApiCredential, Credential, Credentials, OauthCredential
from tollway.client.endpoint import endpoint_of
from tollway.client.gateways import Gateway, known_gateways
from tollway.client.model_lists import ListAnswer, Listed, ModelLists, State
from tollway.providers.registry import load_providers
from unit.client.fakes import EmptyShelf

RECORDS = load_providers()
NOW_MS = 1_795_000_000_000
FAR = NOW_MS + 1_000


def config_of(tree: Mapping[str, Any], environ: Mapping[str, str]) -> ClientConfig:
    return read_config([Layer(Rank.INLINE, "TOLLWAY_CONFIG_CONTENT", tree)], environ, lambda path, _: path)


def fastrouter(cfg: Mapping[str, Any], store: Credential | None, environ: Mapping[str, str]) -> Gateway:
    tree = {"provider": {"fastrouter": cfg}} if cfg else {}
    stored = Credentials({"fastrouter": store} if store else {})
    return known_gateways(RECORDS, config_of(tree, environ), stored, environ, NOW_MS)["fastrouter"]


def key(text: str) -> Mapping[str, Any]:
    return {"options": {"apiKey": text}}


STORE = ApiCredential(key="B")
OAUTH = OauthCredential(refresh="r", access="B", expires=FAR)
ENV = {"FASTROUTER_API_KEY": "C"}
CASES = {
    "K-01": (key("A"), STORE, ENV, "A"),
    "K-02": ({}, STORE, ENV, "B"),
    "K-03": ({}, None, ENV, "C"),
    "K-05": (key("  "), STORE, {}, "B"),
    "K-06": ({"env": ["MY_KEY"]}, None, {"MY_KEY": "D", **ENV}, "D"),
    "K-07": ({"env": ["FASTROUTER_API_KEY"]}, None, {}, None),
    "K-08": (key("{env:SECRET}"), STORE, {"SECRET": "E"}, "E"),
    "K-08 unset": (key("{env:SECRET}"), STORE, {}, "B"),
    "K-09": ({}, OAUTH, ENV, "C"),
}


@pytest.mark.parametrize(
    ("cfg", "store", "environ", "expected"),
    [pytest.param(*case, id=f"catalog:{name.replace(' ', '-')}") for name, case in CASES.items()],
)
def test_which_key_counts(
    cfg: Mapping[str, Any], store: Credential | None, environ: Mapping[str, str], expected: str | None
) -> None:
    found = fastrouter(cfg, store, environ).key
    assert (found and found.text) == expected


@pytest.mark.parametrize("case", [pytest.param(case, id=f"catalog:K-25-{name[:4]}") for name, case in CASES.items()])
def test_lists_and_requests_go_by_the_same_key(case: tuple[Any, Any, Any, str | None]) -> None:
    """Whether the list may be asked for, and what a chat request carries, is one decision."""
    *given, expected = case
    gateway = fastrouter(*given)
    chat = endpoint_of(gateway).upstream.head[1]
    assert gateway.may_fetch(is_named=False) is (expected is not None)
    assert (b"authorization" in chat) is (expected is not None)
    assert expected is None or f"authorization: Bearer {expected}\r\n".encode() in chat


@pytest.mark.parametrize("name", [pytest.param(name, id=f"catalog:K-24-{name}") for name in ("K-01", "K-02", "K-03")])
def test_the_list_is_asked_for_without_the_key_and_chat_with_it(name: str) -> None:
    *given, expected = CASES[name]
    endpoint = endpoint_of(fastrouter(*given))
    assert b"uthorization" not in endpoint.list_head
    assert endpoint.list_head.startswith(b"GET /api/v1/models HTTP/1.1\r\nhost: go.fastrouter.ai\r\n")
    assert endpoint.upstream.head[0] == b"POST /api/v1/chat/completions"
    assert f"\r\nauthorization: Bearer {expected}\r\n".encode() in endpoint.upstream.head[1]


# When the list is asked for


@pytest.fixture
def server() -> Iterator[ListServer]:
    with list_server() as running:
        running.lists("new/m")
        yield running


@pytest.fixture
def machine(tmp_path: Path, server: ListServer) -> Machine:
    """FastRouter is where the test's server is, and nobody has a key."""
    return Machine(tmp_path, config=server.config())


KEYED = {"FASTROUTER_API_KEY": "sk-fake-key-of-a-test"}


@pytest.mark.parametrize("words", [["models"], ["models", "--refresh"]], ids=lambda one: f"catalog:K-04-{one[-1]}")
def test_without_a_key_nothing_is_contacted(machine: Machine, server: ListServer, words: list[str]) -> None:
    ended = machine.tollway(*words)
    assert (ended.code, ended.out, server.asked) == (0, "", [])


@pytest.mark.parametrize("words", [pytest.param(["auth", "login"], id="catalog:K-04-picker")])
def test_the_picker_contacts_nobody(machine: Machine, server: ListServer, words: list[str]) -> None:
    picker = machine.terminal(*words)
    picker.expect("Provider (number")
    picker.type("\x04")
    assert picker.end() == 1
    assert server.asked == []


@pytest.mark.parametrize("text", [pytest.param("{not json", id="catalog:K-10")])
def test_a_store_that_cannot_be_read_is_an_error(machine: Machine, server: ListServer, text: str) -> None:
    machine.put_store(text)
    ended = machine.tollway("models", **KEYED)
    assert (ended.code, ended.out) == (1, "")
    assert str(machine.store) in ended.err
    assert machine.store.read_text() == text
    assert server.asked == []


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"disabled_providers": ["fastrouter"]}, id="catalog:K-11"),
        pytest.param({"enabled_providers": ["openai"]}, id="catalog:K-12-other"),
    ],
)
def test_a_disabled_provider_does_not_exist(machine: Machine, server: ListServer, settings: dict[str, Any]) -> None:
    machine.config = {**server.config(), **settings}
    assert machine.tollway("models", **KEYED).out == ""
    named = machine.tollway("models", "fastrouter", **KEYED)
    assert (named.code, named.err) == (1, "Provider not found: fastrouter\n")
    assert server.asked == []


@pytest.mark.parametrize("enabled", [pytest.param(["fastrouter"], id="catalog:K-12")])
def test_an_enabled_provider_is_asked(machine: Machine, server: ListServer, enabled: list[str]) -> None:
    machine.config = {**server.config(), "enabled_providers": enabled}
    assert machine.tollway("models", **KEYED).out == "fastrouter/new/m\n"
    assert [asked.path for asked in server.asked] == ["/api/v1/models"]


@pytest.mark.parametrize("name", [pytest.param("fastrouter", id="catalog:K-13")])
def test_naming_it_is_consent(machine: Machine, server: ListServer, name: str) -> None:
    ended = machine.tollway("models", name)
    assert (ended.code, ended.out) == (0, "fastrouter/new/m\n")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/api/v1/models")
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("name", [pytest.param("fastrouter", id="catalog:K-14")])
def test_who_has_no_key_can_enter_one(machine: Machine, server: ListServer, name: str) -> None:
    ended = machine.tollway("auth", "login", "-p", name, "--key-stdin", stdin="sk-fake-key-of-a-test")
    assert ended.code == 0
    assert server.asked == []
    assert machine.tollway("models").out == "fastrouter/new/m\n"


@pytest.mark.parametrize("status", [pytest.param(500, id="catalog:K-15-command")])
def test_a_command_lives_through_an_outage(machine: Machine, server: ListServer, status: int) -> None:
    server.fails(status)
    ended = machine.tollway("models", **KEYED)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "FastRouter is unreachable; no models loaded. Retrying.\n"


@pytest.mark.parametrize("old", [pytest.param("old/m", id="catalog:K-21")])
def test_live_over_static(machine: Machine, old: str) -> None:
    """A downloaded catalog of the kind other clients keep lies where such files lie; it is not looked at."""
    put_static(machine, old)
    assert machine.tollway("models", **KEYED).out == "fastrouter/new/m\n"


@pytest.mark.parametrize("old", [pytest.param("old/m", id="catalog:K-22")])
def test_static_without_a_key_is_nothing(machine: Machine, server: ListServer, old: str) -> None:
    put_static(machine, old)
    assert machine.tollway("models").out == ""
    picker = machine.terminal("auth", "login")
    picker.expect("FastRouter  not connected")
    picker.type("\x04")
    picker.end()
    assert server.asked == []


def put_static(machine: Machine, model_id: str) -> None:
    static = {"fastrouter": {"id": "fastrouter", "models": {model_id: {"id": model_id, "name": model_id}}}}
    for folder in (machine.home / ".cache" / "tollway", machine.store.parent, machine.home / ".config" / "tollway"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "models.json").write_text(json.dumps(static))


@pytest.mark.parametrize("own", [pytest.param("custom/m", id="catalog:K-23")])
def test_the_user_s_own_words_lie_over_the_list(machine: Machine, server: ListServer, own: str) -> None:
    models = {own: {"name": "Mine"}, "new/m": {"limit": {"context": 7}}}
    tree = server.config()
    tree["provider"]["fastrouter"]["models"] = models
    machine.config = tree
    found = {one["id"]: one for one in machine.tollway("models", "--json", **KEYED).json}
    assert set(found) == {own, "new/m"}
    assert found["new/m"]["limit"] == {"context": 7, "output": 16384}
    assert found[own]["name"] == "Mine"


# Over time, within one process


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class FakeGateway:
    """Answers in its own time, and counts."""

    def __init__(self) -> None:
        self.answers = ListAnswer(200, b'{"data":[{"id":"a/b"}]}')
        self.count = 0

    async def __call__(self, gateway: Gateway, without_key: bool) -> ListAnswer:
        self.count += 1
        await asyncio.sleep(0)
        return self.answers


class Beside:
    """Work that nobody waits for: run by the test when it likes."""

    def __init__(self) -> None:
        self.work: list[Coroutine[Any, Any, object]] = []

    def __call__(self, work: Coroutine[Any, Any, object]) -> None:
        self.work.append(work)

    async def run(self) -> int:
        begun, self.work = self.work, []
        await asyncio.gather(*begun)
        return len(begun)


@dataclass
class Process:
    gateway: FakeGateway = field(default_factory=FakeGateway)
    clock: Clock = field(default_factory=Clock)
    beside: Beside = field(default_factory=Beside)

    def __post_init__(self) -> None:
        self.lists = ModelLists(self.gateway, self.clock, EmptyShelf(), self.beside)

    async def models(self, key: str = "A") -> list[str]:
        return list((await self.listed(key)).models)

    async def listed(self, key: str = "A") -> Listed:
        return await self.lists.of(fastrouter({"options": {"apiKey": key}}, None, {}))


def vector(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A scenario that carries one vector's id."""
    return pytest.mark.parametrize("process", [pytest.param(None, id=f"catalog:{name}")], indirect=True)


@pytest.fixture
def process() -> Process:
    return Process()


DOWN = ListAnswer(500, b"")


@vector("K-15")
def test_an_outage_at_the_start(process: Process) -> None:
    async def scenario() -> None:
        process.gateway.answers = DOWN
        found = await process.listed()
        assert (found.state, dict(found.models), found.is_selectable) == (State.UNREACHABLE, {}, False)
        assert (process.gateway.count, len(process.beside.work)) == (1, 1)
        await process.beside.run()

    asyncio.run(scenario())


@vector("K-16")
def test_the_next_use_after_an_outage(process: Process) -> None:
    async def scenario() -> None:
        up, process.gateway.answers = process.gateway.answers, DOWN
        assert await process.models() == []
        await process.beside.run()
        process.gateway.answers = up
        assert await process.models() == ["a/b"]

    asyncio.run(scenario())


@vector("K-17")
def test_five_minutes(process: Process) -> None:
    async def scenario() -> None:
        for later, count in ((0, 1), (299, 1), (300, 1), (301, 2)):
            process.clock.now = 1_000 + later
            assert await process.models() == ["a/b"]
            assert process.gateway.count == count, later

    asyncio.run(scenario())


@vector("K-18")
def test_ten_at_once(process: Process) -> None:
    async def scenario() -> None:
        assert await asyncio.gather(*(process.models() for _ in range(10))) == [["a/b"]] * 10
        assert process.gateway.count == 1

    asyncio.run(scenario())


@vector("K-19")
def test_an_old_list_is_better_than_none(process: Process) -> None:
    async def scenario() -> None:
        up = process.gateway.answers
        await process.models()
        process.gateway.answers = DOWN
        process.clock.now += 301
        found = await process.listed()
        assert (found.state, list(found.models), found.is_selectable) == (State.STALE, ["a/b"], True)
        process.clock.now += 4
        await process.models()
        assert process.gateway.count == 2, "within five seconds of a failure it is left in peace"
        process.gateway.answers = up
        process.clock.now += 2
        assert (await process.listed()).state is State.LIVE, "its age was not renewed, so it is asked again"
        assert process.gateway.count == 3

    asyncio.run(scenario())


@vector("K-20")
def test_another_key_has_another_list(process: Process) -> None:
    async def scenario() -> None:
        await process.models("A")
        process.gateway.answers = ListAnswer(200, b'{"data":[{"id":"c/d"}]}')
        assert await process.models("B") == ["c/d"]
        assert await process.models("A") == ["a/b"]
        assert process.gateway.count == 2

    asyncio.run(scenario())
