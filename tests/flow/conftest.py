"""One gateway and one stand-in per test process; every test brings an account of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.programs import Gateway, Sim, settings_for


@pytest.fixture(scope="session")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    program = Sim(tmp_path_factory.mktemp("sim"))
    yield program
    program.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    program = Gateway(folder, settings_for(folder, sim.url))
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
