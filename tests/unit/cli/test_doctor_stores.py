"""Databases and Redis that do not answer, and secrets whose keys nobody has."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tollway.cli import doctor_stores
from tollway.cli.doctor_stores import ask_stores
from tollway.settings import parse


def ask(folder: Path, **more: Any) -> dict[str, str]:
    """Check → state."""
    tree = {"state_dir": str(folder), "database_url": f"sqlite:///{folder}/tollway.db", **more}
    return {one.check: one.state.value for one in asyncio.run(ask_stores(parse(tree), {}))}


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_one_that_says_nothing_is_not_waited_for(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_stores, "CHECK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x"
        begun = time.monotonic()
        if scheme == "redis":
            assert ask(tmp_path, redis_url=address.replace("/x", "/0")) == {"redis": "warning", "database": "failed"}
        else:
            assert ask(tmp_path, database_url=address) == {"database": "failed"}
        assert time.monotonic() - begun < 5


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert ask(tmp_path) == {"database": "failed"}
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "tollway.db").write_text("x" * 5_000)
    assert ask(tmp_path) == {"database": "failed"}


def test_secrets_whose_generated_key_is_gone(acme: Any, tmp_path: Path) -> None:
    """And it is not made anew by the look."""
    assert acme("byok", "add", "openai", "--user", "ann@example.com", input="sk-fake").code == 0
    assert ask(tmp_path)["master keys"] == "ok"
    (tmp_path / "master-key").unlink()
    assert ask(tmp_path)["master keys"] == "failed"
    assert not (tmp_path / "master-key").exists()
