"""What commands load until they are done: nothing their work does not need. bench/startup.py measures the time."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.programs import plain_environment
from servers.chats import ChatServer, chat_server

WHOLE = """
import atexit, json, sys
atexit.register(lambda: sys.__stderr__.write("\\nloaded " + json.dumps(sorted(sys.modules))))
sys.argv = ["tollway", *sys.argv[1:]]
from tollway.cli.main import main
main()
"""
SERVERS = {"alembic", "cryptography", "fastapi", "genai_prices", "jwt", "prometheus_client", "psycopg", "redis"} | {
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "uvloop",
}
TERMINAL = {"pygments", "markdown_it", "rich"}
CHECKED = {"pydantic", "pydantic_core", "tollway.settings"}
NETWORK = {"httptools", "tollway.upstream.client"}


def loaded(home: Path, *words: str, code: int = 0, **environ: str) -> set[str]:
    """Every module that one command has loaded in all its life, its output piped."""
    done = subprocess.run(
        [sys.executable, "-c", WHOLE, *words],
        cwd=home,
        env={**plain_environment(), "HOME": str(home), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return set(json.loads(done.stderr.rpartition("\nloaded ")[2]))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def with_key(server: ChatServer) -> dict[str, str]:
    return {"FASTROUTER_API_KEY": "sk-fake-key", "TOLLWAY_CONFIG_CONTENT": json.dumps(server.config())}


def test_a_question_needs_nothing_but_the_network(tmp_path: Path, server: ChatServer) -> None:
    """It is on its way within 0.4 s, and these are what would spoil it. Asked and answered, through a pipe."""
    found = loaded(tmp_path, "run", "-m", "fastrouter/a/b", "hi", **with_key(server))
    assert len(server.bodies) == 1
    assert found >= NETWORK
    assert not found & (SERVERS | TERMINAL | CHECKED | {"idna", "tollway.catalog.preset"})


@pytest.mark.parametrize("words", [("models", "fastrouter"), ("models", "fastrouter", "--json")], ids=" ".join)
def test_lists_need_nothing_but_the_network(tmp_path: Path, server: ChatServer, words: tuple[str, ...]) -> None:
    server.models = [{"id": "a/b"}]
    environ = with_key(server)
    assert loaded(tmp_path, *words, **environ) >= NETWORK
    again = loaded(tmp_path, *words, **environ)
    assert not again & (NETWORK | SERVERS | TERMINAL | CHECKED), "and nor that, while the list is fresh"


def test_keys_need_no_network(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "auth", "list") & (NETWORK | SERVERS | TERMINAL | CHECKED | {"asyncio"})


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",)], ids=" ".join)
def test_the_list_of_commands_loads_none_of_them(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = loaded(tmp_path, *words)
    ours = {name for name in found if name.startswith("tollway")}
    assert ours == {"tollway", "tollway.cli", "tollway.cli.main", "tollway.cli.parameters"}
    assert not found & (SERVERS | CHECKED | {"asyncio"})


@pytest.mark.parametrize(
    "words",
    [
        ("users", "list"),
        ("users", "create", "ann@example.com"),
        ("orgs", "list"),
        ("keys", "list", "--user", "bob@example.com"),
        ("usage", "--user", "bob@example.com"),
    ],
    ids=" ".join,
)
def test_management_needs_the_database_and_no_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    loaded(tmp_path, "migrate")
    loaded(tmp_path, "users", "create", "bob@example.com")
    found = loaded(tmp_path, *words)
    assert not found & ((SERVERS - {"sqlalchemy", "cryptography"}) | TERMINAL | NETWORK)


@pytest.mark.parametrize("address", ["", "redis://127.0.0.1:1"], ids=["without Redis", "with Redis"])
def test_a_server_loads_what_its_workers_share(tmp_path: Path, address: str) -> None:
    """Before it forks them; here it gets as far as a port that is taken."""
    environ = {"TOLLWAY_REDIS_URL": address} if address else {}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ["TOLLWAY_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        found = loaded(tmp_path, "serve", code=1, **environ)
    assert found >= {"tollway.app", "fastapi", "sqlalchemy"}
    assert ("redis" in found) is bool(address)
