"""One gateway whose only upstream keeps what it is sent, and one more by the rules of the shipped preset."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from vectors.scripted import ScriptedUpstream
from vectors.upstream import Upstream
from vectors.world import World

_MODEL = """
[[models]]
id = "{id}"
provider = "openrouter"
prompt_usd_per_million = "3"
completion_usd_per_million = "15"
"""


_PAID = ("a/b", "c/d", "anthropic/claude-sonnet-4.6", "anthropic/claude-opus-4.6", "openai/gpt-5-nano")
_FREE = ("minimax/minimax-m2.5:free", "corethink:free", "meta-llama/llama-4-scout:free", "qwen/qwen3-coder:free")


def settings_for_vectors(
    folder: Path, upstream: Upstream, database_url: str = "", models: Iterable[str] = _PAID[:3], top: str = ""
) -> str:
    """The default provider, with the address of `upstream`. `top`: lines for the top level."""
    tables = "".join(_MODEL.replace("{id}", one) for one in models)
    return f"""
listen = "127.0.0.1:0"
state_dir = "{folder}"
database_url = "{database_url or f"sqlite:///{folder}/tollway.db"}"
{top}

[providers.openrouter]
base_url = "{upstream.url}/api/v1"
api_key = "sk-or-not-a-real-key"
{tables}
"""


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="session")
def vector_gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("vectors")
    program = Gateway(folder, settings_for_vectors(folder, upstream))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="session")
def proxied_gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gateway]:
    """It believes X-Forwarded-For of everybody on this machine but 127.1.0.0/16."""
    folder: Path = tmp_path_factory.mktemp("proxied")
    trusted = 'trusted_proxies = ["127.0.0.0/16", "10.0.0.0/8"]'
    program = Gateway(folder, settings_for_vectors(folder, upstream, top=trusted))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="session")
def caller(vector_gateway: Gateway) -> Account:
    """Authenticated, personal, with a positive balance."""
    return Accounts(vector_gateway.config).create()


@pytest.fixture(scope="session")
def kilo(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gateway]:
    """A gateway with the preset that the page calls the default configuration."""
    folder: Path = tmp_path_factory.mktemp("kilo")
    settings = settings_for_vectors(folder, upstream, models=_PAID + _FREE, top='preset = "kilo"')
    program = Gateway(folder, settings)
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="session")
def kilo_accounts(kilo: Gateway) -> Accounts:
    return Accounts(kilo.config)


@pytest.fixture(scope="session")
def kilo_caller(kilo_accounts: Accounts) -> Account:
    """Authenticated there, personal, with a positive balance."""
    return kilo_accounts.create()


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    yield server
    server.close()


def settings_for_scripts(folder: Path, url: str, top: str = "") -> str:
    """The shipped preset, and `url` behind all providers that its hosted models need; `a/b` is paid for."""
    gateways = "".join(
        f'[providers.{name}]\nbase_url = "{url}/{name}"\napi_key = "sk-not-a-real-key"\nreports_cost = true\n'
        for name in ("openrouter", "gigapotato", "corethink")
    )
    return f"""
listen = "127.0.0.1:0"
state_dir = "{folder}"
database_url = "sqlite:///{folder}/tollway.db"
preset = "kilo"
{top}
[breaker]
failures_in_a_row = 0
calls_min = 0

[custom_upstreams]
allowed_private_endpoints = ["{url}"]

{gateways}
{_MODEL.replace("{id}", "a/b")}
"""


@pytest.fixture(scope="session")
def scripted_gateway(tmp_path_factory: pytest.TempPathFactory, scripted: ScriptedUpstream) -> Iterator[Gateway]:
    """A gateway with the shipped preset whose upstreams say what a test tells them to; nothing is tried again."""
    folder: Path = tmp_path_factory.mktemp("scripted")
    program = Gateway(folder, settings_for_scripts(folder, scripted.url, "retries.count_max = 0"))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="session")
def scripted_accounts(scripted_gateway: Gateway) -> Accounts:
    return Accounts(scripted_gateway.config)


@pytest.fixture
def world(scripted_gateway: Gateway, scripted: ScriptedUpstream, scripted_accounts: Accounts) -> World:
    return World(scripted_gateway, scripted, scripted_accounts)
