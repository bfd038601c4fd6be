import fcntl
import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from tollway.client.credentials import ApiCredential, Credentials
from tollway.client.errors import ClientError
from tollway.storage.client import credential_file
from tollway.storage.client.credential_file import CredentialFile


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def add(path: Path, *names: str) -> None:
    for name in names:
        CredentialFile(path, {}, print).change(lambda held, name=name: held.with_entry(name, ApiCredential(key=name)))


def test_what_is_not_there_is_empty_and_made_when_needed(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "auth.json"
    assert CredentialFile(path, {}, print).read() == Credentials()
    assert not path.parent.exists()
    add(path, "one")
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert CredentialFile(path, {}, print).read().get("one") == ApiCredential(key="one")


def test_what_others_can_read_is_narrowed_and_said(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    add(path, "one")
    path.chmod(0o644)
    said: list[str] = []
    CredentialFile(path, {}, said.append).read()
    assert mode(path) == 0o600
    assert said == [f"{path} could be read by others; now only you can"]
    CredentialFile(path, {}, said.append).read()
    assert len(said) == 1


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    """Each reads, changes and writes twenty times; without the lock, entries of the other would vanish."""
    path = tmp_path / "auth.json"
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=add, args=(path, *(f"{side}-{number}" for number in range(20)))) for side in ("a", "b")
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
        assert one.exitcode == 0
    assert len(json.loads(path.read_text())) == 40


def test_a_file_that_cannot_be_read_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text('{"a": ')
    path.chmod(0o600)
    with pytest.raises(ClientError, match=str(path)):
        add(path, "one")
    assert path.read_text() == '{"a": '
    path.write_bytes(b" " * (1024**2 + 1))
    with pytest.raises(ClientError, match="too large"):
        CredentialFile(path, {}, print).read()


def test_a_folder_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClientError, match="cannot be"):
        add(tmp_path / "file" / "auth.json", "one")


def test_a_variable_takes_the_place_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    add(path, "one")
    file = CredentialFile(path, {"TOLLWAY_AUTH_CONTENT": '{"two":{"type":"api","key":"2"}}'}, print)
    assert (list(file.read().entries), file.name) == (["two"], "TOLLWAY_AUTH_CONTENT")
    with pytest.raises(ClientError, match="TOLLWAY_AUTH_CONTENT is set"):
        file.change(lambda held: held)
    with pytest.raises(ClientError, match="TOLLWAY_AUTH_CONTENT: is not"):
        CredentialFile(path, {"TOLLWAY_AUTH_CONTENT": ""}, print).read()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "auth.json"
    real.write_text("{}")
    real.chmod(0o600)
    link.symlink_to(real)
    add(link, "one")
    assert link.is_symlink()
    assert "one" in json.loads(real.read_text())


def test_a_lock_that_somebody_keeps_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_file, "_LOCKED_S_MAX", 0.1)
    path = tmp_path / "auth.json"
    add(path, "one")
    with path.with_name("auth.json.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ClientError, match=r"auth\.json\.lock: another process"):
            add(path, "two")
    assert list(CredentialFile(path, {}, print).read().entries) == ["one"]
    add(path, "two")
