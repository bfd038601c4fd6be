"""A gateway for published clients, and where they are installed. Run by `make test-clients` (run.py)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.kilo import ROOM
from flow.accounts import Account, Accounts
from flow.programs import Gateway, Sim, settings_for

JWT_SECRET = "a secret of at least 32 characters for tokens"
DEAR_USD = "0.0123"
NOTE = "The toll is nine pence."
# What the stand-in calls and reports is in the id of its model: a client made for others cannot tell it.
MODELS = """
[[models]]
id = "sim/clerk"
name = "Clerk"
provider = "sim"
upstream_model = 'sim/toolsmith@tool=read,arguments={{"filePath":"{note}"}}'
prompt_usd_per_million = "0.5"
completion_usd_per_million = "2"

[[models]]
id = "sim/dear"
name = "Dear"
provider = "sim"
upstream_model = "sim/story@cost={cost}"
prompt_usd_per_million = "0.5"
completion_usd_per_million = "1.5"
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clients", type=Path, help="the folder that `npm ci` was run in")


@pytest.fixture(scope="session")
def kilo(request: pytest.FixtureRequest) -> Path:
    """The client's program."""
    program: Path = request.config.getoption("--clients") / "node_modules/@kilocode/cli/bin/kilo"
    return program


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that clients work in, with a note in it."""
    folder = tmp_path_factory.mktemp(ROOM)
    (folder / "note.txt").write_text(f"{NOTE}\n")
    return folder


@pytest.fixture(scope="session")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    program = Sim(tmp_path_factory.mktemp("sim"))
    yield program
    program.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim, room: Path) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    models = MODELS.format(note=room / "note.txt", cost=DEAR_USD)
    program = Gateway(folder, settings_for(folder, sim.url, models=models, top=f'jwt.secret = "{JWT_SECRET}"'))
    yield program
    program.stop()


@pytest.fixture(scope="session")
def accounts(gateway: Gateway) -> Accounts:
    return Accounts(gateway.config)


@pytest.fixture
def account(accounts: Accounts) -> Iterator[Account]:
    """A user with 10 USD; afterwards the books must balance."""
    yield accounts.create()
    assert accounts.differences() == ()
