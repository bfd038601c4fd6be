"""One gateway whose only upstream keeps what it is sent."""

from collections.abc import Iterator
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


def settings_for_vectors(folder: Path, upstream: Upstream, database_url: str = "", top: str = "") -> str:
    """The default provider, with the address of `upstream`. `top`: further lines for the top level."""
    models = "".join(_MODEL.replace("{id}", one) for one in ("a/b", "c/d", "anthropic/claude-sonnet-4.6"))
    return f"""
listen = "127.0.0.1:0"
state_dir = "{folder}"
database_url = "{database_url or f"sqlite:///{folder}/tollway.db"}"
{top}

[providers.openrouter]
base_url = "{upstream.url}/api/v1"
api_key = "sk-or-not-a-real-key"
{models}
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
