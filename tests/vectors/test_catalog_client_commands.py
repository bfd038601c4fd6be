"""Vectors C-01 to C-08 and C-19 of catalog-and-clients G.9: auth and models, the store and strangers."""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.machine import Machine
from flow.programs import Gateway, plain_environment
from flow.raw import ask, request
from servers.lists import ListServer, list_server
from vectors.upstream import Upstream

KEY = "sk-fake-key-of-a-test"
FULL = {"fastrouter": {"type": "api", "key": KEY}, "openai": {"type": "api", "key": "sk-fake-other"}}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def server() -> Iterator[ListServer]:
    with list_server() as running:
        yield running


def log_in(machine: Machine, provider: str, key: str = KEY) -> int:
    return machine.tollway("auth", "login", "-p", provider, "--key-stdin", stdin=key).code


@pytest.mark.parametrize("provider", [pytest.param("fastrouter", id="catalog:C-01")])
def test_a_login_is_one_entry(machine: Machine, provider: str) -> None:
    assert log_in(machine, provider, f"  {KEY}\n") == 0
    assert machine.stored == {provider: {"type": "api", "key": KEY}}
    assert stat.S_IMODE(machine.store.stat().st_mode) == 0o600
    assert stat.S_IMODE(machine.store.parent.stat().st_mode) == 0o700
    assert machine.store.read_text().startswith('{\n  "fastrouter": {\n    "type"')


@pytest.mark.parametrize("provider", [pytest.param("fastrouter", id="catalog:C-01-typed")])
def test_a_key_that_is_typed_is_not_shown(machine: Machine, provider: str) -> None:
    terminal = machine.terminal("auth", "login", "-p", provider)
    terminal.expect("Key of FastRouter: ")
    arguments = Path(f"/proc/{terminal.pid}/cmdline").read_bytes()
    terminal.type("\n")  # nothing: it asks again
    terminal.expect("Key of FastRouter: ")
    terminal.type(f"{KEY}\n")
    assert terminal.end() == 0
    assert machine.stored == {provider: {"type": "api", "key": KEY}}
    assert KEY not in terminal.shown
    assert KEY.encode() not in arguments


@pytest.mark.parametrize("other", [pytest.param({"type": "x", "what": [1, {"a": None}]}, id="catalog:C-02")])
def test_entries_of_an_unknown_type_stay(machine: Machine, other: dict[str, object]) -> None:
    machine.put_store(json.dumps({"x": other}))
    assert log_in(machine, "fastrouter") == 0
    assert machine.stored == {"x": other, "fastrouter": {"type": "api", "key": KEY}}


@pytest.mark.parametrize(
    "words",
    [["auth", "list"], ["auth", "login", "-p", "fastrouter", "--key-stdin"], ["auth", "logout", "x"], ["models"]],
    ids=lambda words: f"catalog:C-03-{words[-1].strip('-')}",
)
def test_a_broken_store_stops_every_command_that_needs_it(machine: Machine, words: list[str]) -> None:
    machine.put_store("{")
    ended = machine.tollway(*words, stdin=KEY)
    assert (ended.code, ended.out) == (1, "")
    assert str(machine.store) in ended.err
    assert machine.store.read_bytes() == b"{"


_KILLED = """
import os, pathlib, signal, sys
from tollway.client.credentials import ApiCredential
from tollway.storage.client.credential_file import CredentialFile
pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
file = CredentialFile(pathlib.Path(sys.argv[1]), {}, print)
file.change(lambda held: held.with_entry("new", ApiCredential(key="k")))
"""


@pytest.mark.parametrize("text", [pytest.param(json.dumps(FULL), id="catalog:C-04")])
def test_killed_between_writing_and_renaming(machine: Machine, text: str) -> None:
    machine.put_store(text)
    done = subprocess.run([sys.executable, "-c", _KILLED, str(machine.store)], env=plain_environment(), timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert machine.store.read_text() == text
    assert log_in(machine, "openrouter") == 0, "the lock of a dead process is nobody's"
    assert set(machine.stored) == {*FULL, "openrouter"}


@pytest.mark.parametrize("provider", [pytest.param("nosuch", id="catalog:C-05")])
def test_an_unknown_provider(machine: Machine, provider: str) -> None:
    ended = machine.tollway("auth", "login", "-p", provider, "--key-stdin", stdin=KEY)
    assert (ended.code, ended.out, ended.err) == (1, "", 'Unknown provider "nosuch"\n')
    assert not machine.store.exists()


@pytest.mark.parametrize("content", [pytest.param("{}", id="catalog:C-06")])
def test_credentials_in_a_variable_replace_the_file(machine: Machine, server: ListServer, content: str) -> None:
    machine.put_store(json.dumps(FULL))
    machine.config = server.config()
    listed = machine.tollway("auth", "list", TOLLWAY_AUTH_CONTENT=content)
    assert (listed.code, listed.out) == (0, "TOLLWAY_AUTH_CONTENT\n")
    assert machine.tollway("models", TOLLWAY_AUTH_CONTENT=content).out == ""
    assert server.asked == []
    refused = machine.tollway("auth", "logout", "openai", TOLLWAY_AUTH_CONTENT=json.dumps(FULL))
    assert (refused.code, machine.stored) == (1, FULL)


@pytest.mark.parametrize("provider", [pytest.param("fastrouter", id="catalog:C-07")])
def test_a_logout_takes_one_entry(machine: Machine, provider: str) -> None:
    machine.put_store(json.dumps(FULL))
    assert machine.tollway("auth", "logout", provider).code == 0
    assert machine.stored == {"openai": FULL["openai"]}
    again = machine.tollway("auth", "logout", provider)
    assert (again.code, again.out) == (0, "Not logged in to fastrouter.\n")


@pytest.mark.parametrize("provider", [pytest.param("nosuch", id="catalog:C-08")])
def test_models_of_an_unknown_provider(machine: Machine, provider: str) -> None:
    ended = machine.tollway("models", provider)
    assert (ended.code, ended.out, ended.err) == (1, "", "Provider not found: nosuch\n")


@pytest.mark.parametrize("path", [pytest.param("/api/gateway/models", id="catalog:C-19-list")])
def test_our_own_gateway_without_a_token(machine: Machine, server: ListServer, path: str) -> None:
    server.lists({"id": "a/b", "context_length": 1000})
    machine.environ = {"TOLLWAY_API_URL": server.url}
    assert machine.tollway("models").out == "tollway/a/b\n"
    (asked,) = server.asked
    assert asked.path == path
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("literal", [pytest.param("Bearer anonymous", id="catalog:C-19-server")])
def test_a_client_that_sends_the_literal_is_anonymous(kilo: Gateway, upstream: Upstream, literal: str) -> None:
    """Where everybody may call it is served, and it is not looked up as if it were a key."""
    refused = _refused(kilo)
    body = {"model": "corethink:free", "messages": [{"role": "user", "content": "hi"}]}
    answer = ask(kilo, request(body, b"/api/openrouter/chat/completions", {"authorization": literal}))
    assert answer.status == 200
    assert upstream.next().body["model"] == "corethink"
    assert _refused(kilo) == refused


def _refused(gateway: Gateway) -> int:
    return sum("AUTH-FAIL" in line for line in gateway.lines)
