"""Commands run in this process against a migrated SQLite file; settings come from the environment only."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tollway.cli import byok, keys, ledger, llms, organizations, secrets, subscriptions, upstreams, users
from tollway.cli import credits as credit_commands
from tollway.cli.alerts import alerts
from tollway.cli.doctor import doctor
from tollway.cli.explain import explain
from tollway.cli.migrate import migrate
from tollway.cli.reconcile import reconcile
from tollway.cli.sync import sync
from tollway.storage.migrations.run import migrate as run_migrations


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "tollway.db"
    run_migrations(f"sqlite:///{path}")
    return path


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command where nothing was set up yet."""
    monkeypatch.chdir(tmp_path)
    environment = {"TOLLWAY_DATABASE_URL": f"sqlite:///{tmp_path}/tollway.db", "TOLLWAY_STATE_DIR": str(tmp_path)}

    def run(*words: str, input: str | None = None, **more: str) -> Ended:  # noqa: A002  (its name in click)
        result = CliRunner().invoke(_application(), words, input=input, env={**environment, **more})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def run(fresh: Run, migrated_database: Path, tmp_path: Path) -> Run:
    """Runs a command on an empty, migrated database."""
    shutil.copy(migrated_database, tmp_path / "tollway.db")
    return fresh


@pytest.fixture
def acme(run: Run) -> Run:
    """Runs a command where ann owns Acme and bob belongs to nobody."""
    for words in (
        ["users", "create", "ann@example.com", "--name", "Ann"],
        ["users", "create", "bob@example.com"],
        ["orgs", "create", "Acme"],
        ["orgs", "add-member", "Acme", "ann@example.com", "--role", "owner"],
    ):
        assert run(*words).code == 0
    return run


def _application() -> typer.Typer:
    root = typer.Typer()
    parts: Sequence[tuple[str, typer.Typer]] = (
        ("users", users.app),
        ("orgs", organizations.app),
        ("keys", keys.app),
        ("byok", byok.app),
        ("secrets", secrets.app),
        ("credits", credit_commands.app),
        ("subscriptions", subscriptions.app),
        ("upstreams", upstreams.app),
        ("llms", llms.app),
        ("ledger", ledger.app),
    )
    for name, app in parts:
        root.add_typer(app, name=name)
    for command in (migrate, reconcile, explain, alerts, sync, doctor):
        root.command(command.__name__)(command)
    return root
