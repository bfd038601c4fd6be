"""`tollway doctor`, the real program, on installations that are well and on some that are not."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flow.accounts import Accounts
from flow.commands import Ended, tollway
from flow.programs import Gateway, Sim, settings_for
from flow.test_master_keys import NEW, OLD

SECRET = "sk-canary-doctor-5b1d"
PEPPER = "canary-pepper-77c0d1"


class Installation:
    """One that has served, with a secret under the old master key."""

    def __init__(self, folder: Path, sim: Sim, database_url: str) -> None:
        self.folder, self.database_url = folder, database_url
        text = settings_for(folder, sim.url, database_url=database_url, top=f'key_pepper = "{PEPPER}"')
        self.text = f'master_keys = "{OLD}"\n{text}'
        self.gateway = Gateway(folder, self.text)
        self.config = self.gateway.config
        account = Accounts(self.config).create(0)
        key_file = folder / "key"
        key_file.write_text(SECRET)
        words = ("byok", "add", "anthropic", "--user", account.user_id, "--key-file", str(key_file))
        assert tollway(self.config, *words).code == 0

    def listen(self) -> None:
        """Let the settings say where the gateway serves."""
        address = f"{self.gateway.host}:{self.gateway.port}"
        self.config.write_text(self.text.replace("127.0.0.1:0", address))

    def doctor(self) -> tuple[int, dict[str, tuple[str, str]]]:
        """Exit code, and the worst finding of each check: its state and words."""
        ended = tollway(self.config, "doctor", "--json")
        self.shows_no_secret(ended)
        told: Any = ended.json
        assert told["is_well"] is (ended.code == 0)
        order = ["ok", "warning", "failed"]
        found: dict[str, tuple[str, str]] = {}
        for one in sorted(told["findings"], key=lambda one: order.index(one["state"])):
            assert bool(one["todo"]) is (one["state"] != "ok")
            found[one["check"]] = (one["state"], one["words"])
        return ended.code, found

    def shows_no_secret(self, ended: Ended) -> None:
        for secret in (SECRET, PEPPER, "sk-fake-upstream-key", OLD.partition(":")[2], NEW.partition(":")[2]):
            assert secret not in ended.out + ended.err


@pytest.fixture
def installation(database_url: str, tmp_path: Path, sim: Sim) -> Any:
    made = Installation(tmp_path / "gateway", sim, database_url)
    yield made
    made.gateway.end()


def failing(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {check: words for check, (state, words) in found.items() if state == "failed"}


def test_each_illness_is_named_alone(installation: Installation) -> None:
    """Healthy; then one thing after the other is broken, found, and put right again."""
    config, gateway = installation.config, installation.gateway
    installation.listen()
    before = contents(installation.folder)
    code, found = installation.doctor()
    assert (code, failing(found)) == (0, {})
    assert found["listen"] == ("ok", f"Tollway serves on {gateway.host}:{gateway.port} and is ready")
    assert found["master keys"] == ("ok", "old is active, and has 1 stored secret")
    assert found["providers"] == ("ok", "configured: dead, plain, sim")
    plain = tollway(config, "doctor")
    installation.shows_no_secret(plain)
    assert (plain.code, plain.out.splitlines()[-1]) == (0, "All is well.")
    assert gateway.stop() == 0
    assert contents(installation.folder) == before, "it made or took away files"

    config.write_text(installation.text.replace(OLD, NEW))
    assert failing(installation.doctor()[1]) == {"master keys": "old is missing, and 1 stored secret needs it"}

    config.write_text(installation.text)
    journals = installation.folder / "journal"
    journals.rename(installation.folder / "elsewhere")
    journals.write_text("")
    assert failing(installation.doctor()[1]) == {"journal folder": f"{journals} is no folder"}
    journals.unlink()

    with_old_schema(installation.database_url)
    assert failing(installation.doctor()[1]) == {"database": "its schema is not the one of this version"}

    config.write_text(installation.text + "\ncolour = 1\n")
    code, found = installation.doctor()
    assert (code, list(found)) == (1, ["settings"])


def test_a_database_that_is_gone(installation: Installation) -> None:
    assert installation.gateway.stop() == 0
    url = installation.database_url
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        shutil.move(path, path.with_suffix(".gone"))
        code, found = installation.doctor()
        assert not path.exists(), "looking for it made it"
    else:
        port = psycopg.conninfo.conninfo_to_dict(url)["port"]
        installation.config.write_text(installation.text.replace(f":{port}/", ":9/"))
        code, found = installation.doctor()
    assert (code, list(failing(found))) == (1, ["database"])
    assert not {"master keys", "prices", "clock"} & found.keys()


def with_old_schema(url: str) -> None:
    old = "UPDATE alembic_version SET version_num = '0001_first_road'"
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(old)
        connection.close()
        return
    with psycopg.connect(url) as other:
        other.execute(old)


def contents(folder: Path) -> set[str]:
    """Names of what is there, but for a worker's own journal, and for SQLite's files beside its database."""
    names = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(name) for name in names if name.parts[0] != "journal" and not name.name.endswith(("-wal", "-shm"))}
