"""`tollway auth` and `tollway models` end to end: flows 1, 2, 5, 7 and 8 of catalog-and-clients C.13, and logging in.

The stand-in upstream is FastRouter where its whole list is looked at; where it must fail or be counted, a server of the
tests is.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.machine import Machine
from flow.programs import Sim
from servers.lists import ListServer, list_server

KEY = "sk-fake-key-of-a-test"
SIM_MODELS = ["cached", "echo", "free:free", "reasoner", "story", "toolsmith"]


@pytest.fixture
def server() -> Iterator[ListServer]:
    with list_server() as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def at_sim(sim: Sim) -> dict[str, object]:
    return {"provider": {"fastrouter": {"options": {"baseURL": f"{sim.url}/api/v1"}}}}


@pytest.mark.parametrize("environ", [{}, {"FASTROUTER_API_KEY": KEY}], ids=["without a key", "with a key"])
def test_the_full_catalog(machine: Machine, sim: Sim, environ: dict[str, str]) -> None:
    """Flow 1."""
    machine.config = at_sim(sim)
    ended = machine.tollway("models", "fastrouter", **environ)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [f"fastrouter/sim/{name}" for name in SIM_MODELS]


def test_on_a_terminal_it_is_a_table(machine: Machine, sim: Sim) -> None:
    machine.config = at_sim(sim)
    terminal = machine.terminal("models", "fastrouter")
    assert terminal.end() == 0
    heads, *rows = [line.split("  ") for line in terminal.shown.splitlines() if line]
    assert [one.strip() for one in heads if one] == ["model", "context", "$/M in / out", "abilities"]
    assert [row[0].strip() for row in rows] == [f"fastrouter/sim/{name}" for name in SIM_MODELS]
    reasoner = next(line for line in terminal.shown.splitlines() if "reasoner" in line)
    assert reasoner.split() == ["fastrouter/sim/reasoner", "131.1k", "$1.25", "/", "$10", "tools", "reasoning"]


def test_records_as_json(machine: Machine, sim: Sim) -> None:
    machine.config = at_sim(sim)
    listed = machine.tollway("models", "fastrouter", "--json").json
    assert [one["model"] for one in listed] == [f"fastrouter/sim/{name}" for name in SIM_MODELS]
    (story,) = [one for one in listed if one["id"] == "sim/story"]
    assert story["limit"] == {"context": 131_072, "output": 32_768}
    assert (story["provider"], story["cost"]) == ("fastrouter", {"input": 0.5, "output": 1.5, "cache_read": 0.05})
    verbose = machine.tollway("models", "fastrouter", "--verbose").out
    record = verbose.partition("fastrouter/sim/story\n")[2].partition("\nfastrouter/")[0]
    assert json.loads(record) == {name: value for name, value in story.items() if name not in {"provider", "model"}}


def test_the_picker_has_fastrouter_among_the_popular(machine: Machine) -> None:
    """Flow 2; and what is chosen there gets the key that is typed."""
    terminal = machine.terminal("auth", "login")
    terminal.expect("Provider (number, id or part of a name): ")
    lines = [line.split("  ") for line in terminal.shown.splitlines()]
    names = [part for line in lines for part in line if part.strip() and not part.strip().isdigit()]
    popular = names[names.index("Popular") + 1 : names.index("Other")]
    assert [name.strip() for name in popular if "connected" not in name] == [
        "Tollway",
        "OpenAI",
        "OpenRouter",
        "FastRouter",
    ]
    terminal.type("nonsense\n")
    terminal.expect("nothing, or more than one, is called 'nonsense'")
    terminal.expect("Provider (number, id or part of a name): ")
    terminal.type("4\n")
    terminal.expect("Key of FastRouter: ")
    terminal.type(f"{KEY}\n")
    assert terminal.end() == 0
    assert machine.stored == {"fastrouter": {"type": "api", "key": KEY}}


def test_something_else_is_stored_by_its_id(machine: Machine) -> None:
    terminal = machine.terminal("auth", "login")
    terminal.expect("Provider (number, id or part of a name): ")
    terminal.type("other\n")
    terminal.expect("Id of the provider: ")
    terminal.type("not an id\n")
    terminal.expect("Id of the provider: ")
    terminal.type("my-house\n")
    terminal.expect("Key of my-house: ")
    terminal.type(f"{KEY}\n")
    assert terminal.end() == 0
    assert machine.stored == {"my-house": {"type": "api", "key": KEY}}


def test_a_stored_key_serves_new_processes(machine: Machine, server: ListServer) -> None:
    """Flow 5 as far as lists go: one whose list is asked for with the key."""
    server.lists("gpt-x")
    machine.config = server.config("apertis", "/v1")
    assert machine.tollway("models", "apertis").err.startswith("Apertis is not connected")
    assert machine.tollway("auth", "login", "-p", "apertis", "-m", "env", APERTIS_API_KEY=KEY).code == 0
    assert machine.tollway("models").out == "apertis/gpt-x\n"
    assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {KEY}"]
    listed = machine.tollway("auth", "list", OPENROUTER_API_KEY="sk-fake-other")
    assert listed.out.splitlines() == [
        str(machine.store),
        "Apertis  api",
        "",
        "Environment",
        "OpenRouter  OPENROUTER_API_KEY",
    ]
    assert KEY not in listed.out


def test_an_outage_and_its_end(machine: Machine, server: ListServer) -> None:
    """Flow 7: nothing is lost, and nothing need be started again."""
    machine.config = server.config()
    machine.environ = {"FASTROUTER_API_KEY": KEY}
    server.fails()
    down = machine.tollway("models")
    assert (down.code, down.out) == (0, "")
    assert "FastRouter is unreachable" in down.err
    picker = machine.terminal("auth", "login")
    picker.expect("FastRouter  connected (environment)")
    picker.type("\x04")
    picker.end()
    server.lists("a/b")
    assert machine.tollway("models").out == "fastrouter/a/b\n"
    server.fails()
    kept = machine.tollway("models", "--refresh")
    assert kept.out == "fastrouter/a/b\n", "an old list is better than none"
    assert kept.err == "FastRouter is unreachable; this is its last list. Retrying.\n"


def test_what_was_kept_needs_no_network(machine: Machine, server: ListServer) -> None:
    server.lists("a/b")
    machine.config = server.config()
    machine.environ = {"FASTROUTER_API_KEY": KEY}
    for _ in range(2):
        assert machine.tollway("models").out == "fastrouter/a/b\n"
    assert len(server.asked) == 1
    (kept,) = (machine.home / ".cache" / "tollway" / "models").iterdir()
    assert KEY not in kept.read_text() + kept.name
    assert kept.stat().st_mode & 0o777 == 0o600
    assert machine.tollway("models", "--refresh", TOLLWAY_DISABLE_MODELS_FETCH="1").out == "fastrouter/a/b\n"
    assert len(server.asked) == 1
    machine.tollway("auth", "login", "-p", "fastrouter", "--key-stdin", stdin="sk-fake-other-key")
    assert not kept.exists(), "another account may have another list"


CANARY = "sk-canary-5d41402abc4b2a76b9719d911017c592"


@pytest.mark.parametrize("place", ["configuration", "store", "environment"])
@pytest.mark.parametrize("answer", [(200, b'{"data":[{"id":"a"}]}'), (401, CANARY.encode()), (500, CANARY.encode())])
def test_a_key_is_shown_nowhere(machine: Machine, server: ListServer, place: str, answer: tuple[int, bytes]) -> None:
    """Not on a screen, not in an error, and on the disk only where it is stored; even a gateway that knows it and says
    it back cannot show it."""
    server.answer = answer
    options = {"apiKey": CANARY} if place == "configuration" else {}
    machine.config = server.config("apertis", "/v1", **options)
    machine.environ = {"APERTIS_API_KEY": CANARY} if place == "environment" else {}
    if place == "store":
        machine.put_store(json.dumps({"apertis": {"type": "api", "key": CANARY}, "odd": {"type": "x", "key": CANARY}}))
    said = ""
    for words in (["models", "--verbose"], ["models", "apertis", "--refresh", "--json"], ["auth", "list"]):
        ended = machine.tollway(*words)
        assert ended.code == 0
        said += ended.out + ended.err
    assert [asked.headers["authorization"] for asked in server.asked].count(f"Bearer {CANARY}") >= 2
    files = [path for path in machine.home.rglob("*") if path.is_file() and path != machine.store]
    said += "".join(f"{path}{path.read_text()}" for path in files)
    assert CANARY not in said
    assert CANARY[-8:] not in said


def test_a_key_that_cannot_be_sent_stops_only_its_own_provider(machine: Machine, server: ListServer) -> None:
    server.lists("a/b")
    machine.config = {"provider": {name: server.config(name)["provider"][name] for name in ("apertis", "openai")}}
    machine.put_store(json.dumps({"openai": {"type": "api", "key": "sk-fake\r\nX-Evil: 1"}}))
    ended = machine.tollway("models", APERTIS_API_KEY=KEY)
    assert (ended.code, ended.out) == (0, "apertis/a/b\n")
    assert ended.err == "OpenAI: the key has characters that no key has; enter it again\n"
    assert machine.tollway("auth", "login", "-p", "openai", "--key-stdin", stdin=KEY).code == 0
    assert machine.tollway("models", "openai").out == "openai/a/b\n"


def test_several_at_once(machine: Machine, server: ListServer) -> None:
    """One that fails takes nothing from the others; our own stands first, then the alphabet."""
    server.lists({"id": "z/z", "context_length": 5})
    server.routes["/broken/models"] = [(500, b"")]
    machine.config = {
        "provider": {
            "openai": {"options": {"baseURL": f"{server.url}/broken"}},
            "apertis": {"options": {"baseURL": f"{server.url}/v1"}},
            "house": {"name": "House", "options": {"baseURL": f"{server.url}/house", "apiKey": KEY}},
        }
    }
    keys = {"OPENAI_API_KEY": KEY, "APERTIS_API_KEY": KEY, "TOLLWAY_API_URL": server.url}
    ended = machine.tollway("models", **keys)
    assert ended.out.splitlines() == ["tollway/z/z", "apertis/z/z", "house/z/z"]
    assert ended.err == "OpenAI is unreachable; no models loaded. Retrying.\n"


# Logging in at a Tollway

CODE = {"code": "ABCD-EFGH", "verificationUrl": "https://tollway.example/device-auth?code=ABCD-EFGH", "expiresIn": 600}
APPROVED = {"status": "approved", "token": "tw_fake_token_of_a_test", "userId": "u", "userEmail": "ann@example.com"}
PROFILE = {"user": {"id": "u"}, "organizations": [{"id": "org-1", "name": "Acme", "role": "owner"}]}


def offer_login(server: ListServer, *polls: tuple[int, dict[str, object]]) -> None:
    code = "/api/device-auth/codes"
    server.answer = 404, b""
    server.routes[code] = [(200, json.dumps(CODE).encode())]
    server.routes[f"{code}/ABCD-EFGH"] = [(status, json.dumps(body).encode()) for status, body in polls]
    server.routes["/api/profile"] = [(200, json.dumps(PROFILE).encode())]


def test_a_code_is_approved_in_a_browser(machine: Machine, server: ListServer) -> None:
    offer_login(server, (202, {"status": "pending"}), (200, dict(APPROVED)))
    server.routes["/api/organizations/org-1/models"] = [(200, b'{"data":[{"id":"a/b","context_length":9}]}')]
    terminal = machine.terminal("auth", "login", server.url, "-p", "tollway", "--no-browser")
    terminal.expect("approve the code ABCD-EFGH within 10 minutes")
    terminal.expect("Logged in as ann@example.com.")
    terminal.expect("Account (number): ")
    terminal.type("2\n")
    assert terminal.end() == 0
    assert "tw_fake_token_of_a_test" not in terminal.shown
    entry = machine.stored["tollway"]
    assert (entry["type"], entry["access"], entry["accountId"]) == ("oauth", "tw_fake_token_of_a_test", "org-1")
    assert entry["enterpriseUrl"] == server.url
    assert [asked.method for asked in server.asked] == ["POST", "GET", "GET", "GET"]
    assert [("authorization" in asked.headers) for asked in server.asked] == [False, False, False, True]

    assert machine.tollway("models").out == "tollway/a/b\n"
    asked = server.asked[-1]
    assert (asked.path, asked.headers["authorization"]) == (
        "/api/organizations/org-1/models",
        "Bearer tw_fake_token_of_a_test",
    )
    elsewhere = machine.tollway("models", TOLLWAY_API_URL="http://127.0.0.1:9")
    assert elsewhere.out == "", "a token goes only to the gateway that gave it"


@pytest.mark.parametrize(
    ("answer", "why"),
    [((403, {}), "the login was denied"), ((410, {"status": "expired"}), "the code was not approved in time")],
    ids=["denied", "expired"],
)
def test_a_code_that_is_not_approved(
    machine: Machine, server: ListServer, answer: tuple[int, dict[str, object]], why: str
) -> None:
    offer_login(server, answer)
    ended = machine.tollway("auth", "login", "-p", "tollway", TOLLWAY_API_URL=server.url)
    assert (ended.code, machine.store.exists()) == (1, False)
    assert why in ended.err


def test_a_command_of_the_organization(machine: Machine, server: ListServer) -> None:
    """It is shown and runs only when that is confirmed; its token then stands in for the variable it is for."""
    told = {"auth": {"command": [sys.executable, "-c", f"print('{KEY}')"], "env": "APERTIS_API_KEY"}}
    server.routes["/.well-known/tollway"] = [(200, json.dumps(told).encode())]
    refused = machine.terminal("auth", "login", server.url)
    refused.expect("Run it? [y/N]: ")
    refused.type("n\n")
    assert (refused.end(), machine.store.exists()) == (1, False)
    confirmed = machine.terminal("auth", "login", server.url)
    confirmed.expect("prints a token for APERTIS_API_KEY")
    confirmed.expect("Run it? [y/N]: ")
    confirmed.type("y\n")
    assert confirmed.end() == 0
    assert machine.stored == {server.url: {"type": "wellknown", "key": "APERTIS_API_KEY", "token": KEY}}
    server.lists("gpt-x")
    machine.config = server.config("apertis", "/v1")
    assert machine.tollway("models").out == "apertis/gpt-x\n"
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
