"""What the command shows, and that nothing keeps it."""

import json
import threading
from typing import Any

import pytest

from tollway.cli import doctor_machine
from tollway.cli.doctor import _within


def test_an_installation_to_come(fresh: Any, tmp_path: Any) -> None:
    """Nothing is there; nothing is made; what is missing is said with what to do."""
    ended = fresh("doctor", TOLLWAY_WORKERS="200")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0] == "ok       settings: they can be read"
    at = lines.index(f"failed   database: there is no file {tmp_path}/tollway.db")
    assert lines[at + 1] == "         → the first start makes it, or: tollway migrate"
    assert any(line.startswith("warning  workers: 200 for ") for line in lines)
    assert lines[-1] == "Something is wrong."
    assert list(tmp_path.iterdir()) == []


def test_warnings_alone_are_well(run: Any) -> None:
    told = run("doctor", "--json", TOLLWAY_LISTEN="127.0.0.1:0").json
    assert told["is_well"] is True
    assert "warning" in {one["state"] for one in told["findings"]}
    assert {tuple(one) for one in told["findings"]} == {("check", "state", "words", "todo")}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TOLLWAY_COLOUR", "red", "colour: is not a setting"),
        ("TOLLWAY_MASTER_KEYS", "a:b", "master_keys: a: is not base64"),
        ("TOLLWAY_KEY_PEPPER_FILE", "/nowhere", "key_pepper_file: the file cannot be read"),
        ("TOLLWAY_JWT__SECRET", "short", "jwt.secret: must have at least 32 bytes"),
        ("TOLLWAY_PRESET", "none", "preset: is neither a .toml file nor a shipped one, which are: kilo"),
    ],
)
def test_settings_that_refuse_to_start(fresh: Any, name: str, value: str, words: str) -> None:
    ended = fresh("doctor", "--json", **{name: value})
    assert ended.code == 1
    (found,) = json.loads(ended.out)["findings"]
    assert (found["check"], found["state"], found["words"]) == ("settings", "failed", words)


def test_a_disk_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "CHECK_S", 0.05)
    over = threading.Event()

    def hang() -> list[Any]:
        over.wait(60)
        return []

    (found,) = _within("disk", hang)
    over.set()
    assert found.state == "failed"


def test_a_disk_that_refuses() -> None:
    def refuse() -> list[Any]:
        raise OSError(5, "Input/output error", "/var")

    (found,) = _within("disk", refuse)
    assert (found.state, found.words) == ("failed", "/var: Input/output error")
