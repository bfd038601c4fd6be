"""One gateway and one stand-in per test process; every test brings an account of its own."""

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from flow.accounts import Account, Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.quick import quick_settings
from servers.postgres import running

_numbers = count(1)

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    program = Sim(tmp_path_factory.mktemp("sim"))
    yield program
    program.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    drains = "\n[timeouts]\ndrain_s = 20\n"  # well within what tests wait for the end of a request
    program = Gateway(folder, settings_for(folder, sim.url) + drains)
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


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    """A gateway whose upstream time-outs are seconds."""
    folder: Path = tmp_path_factory.mktemp("quick")
    program = Gateway(folder, quick_settings(folder, sim.url))
    yield program
    program.stop()


@pytest.fixture(scope="session")
def quick_accounts(quick: Gateway) -> Accounts:
    return Accounts(quick.config)


@pytest.fixture
def quick_account(quick_accounts: Accounts) -> Iterator[Account]:
    """A user of the quick gateway with 10 USD; afterwards the books must balance and nothing may be held."""
    account = quick_accounts.create()
    yield account
    assert quick_accounts.differences() == ()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of its own; the gateway brings its schema up to date when it starts."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tollway.db"
        return
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with running(run_id) as server:
        name = f"flow_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield server.url(name)
