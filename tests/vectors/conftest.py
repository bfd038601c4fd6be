"""One gateway whose only upstream keeps what it is sent, and one more by the rules of the shipped preset."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from vectors.upstream import Upstream

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
