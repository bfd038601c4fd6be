"""Every contract test runs on SQLite and on a real PostgreSQL, each test on a database of its own."""

import asyncio
import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from contract.scenario import Clock
from servers import redis
from servers.postgres import PostgresServer, running
from servers.redis import RedisServer
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database, open_database

_TEMPLATE = "tollway_template"
_numbers = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A coroutine test runs in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with running(run_id) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with redis.running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    name = f"{_TEMPLATE}_{os.getpid()}"
    _administer(postgres, f"CREATE DATABASE {name}")
    migrate(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tollway.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with _database(server, "template0") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database without any user."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "tollway.db")
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with _database(server, request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., Database]]:
    """Opens the test's database, as often as asked; when the test has ended its books must balance."""
    opened: list[Database] = []

    def open_(pool_size: int = 4) -> Database:
        opened.append(open_database(url, pool_size=pool_size, pool_wait_s=60.0, statement_timeout_s=60.0))
        return opened[-1]

    yield open_
    try:
        assert asyncio.run(verify_books(open_())) == []
    finally:
        for database in opened:
            asyncio.run(database.close())


@pytest.fixture
def database(connect: Callable[..., Database]) -> Database:
    return connect()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(database: Database, clock: Clock) -> SqlBooks:
    """With two workers that are known, w1 and w2."""
    made = SqlBooks(database, clock)
    for worker in ("w1", "w2"):
        asyncio.run(made.enlist(worker, "node"))
    return made


def _database(server: PostgresServer, template: str) -> "_Copy":
    return _Copy(server, template, f"tollway_{os.getpid()}_{next(_numbers)}")


class _Copy:
    """A copy of a template database, dropped at the end."""

    def __init__(self, server: PostgresServer, template: str, name: str) -> None:
        self._server, self._template, self._name = server, template, name

    def __enter__(self) -> str:
        _administer(self._server, f"CREATE DATABASE {self._name} TEMPLATE {self._template}")
        return self._server.url(self._name)

    def __exit__(self, *_: object) -> None:
        _administer(self._server, f"DROP DATABASE {self._name} WITH (FORCE)")


def _administer(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
