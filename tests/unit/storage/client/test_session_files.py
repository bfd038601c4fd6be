"""Sessions on disk."""

import os
from pathlib import Path

import pytest

from tollway.client.errors import ClientError
from tollway.client.session import Session, session_id_of
from tollway.storage.client.session_files import SessionFiles


def session(number: int, folder: str = "/work") -> Session:
    return Session(session_id_of(f"{number:032x}"), folder, "p/m", f"t{number}", 1, 2)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path)
    assert files.last("/work") is None
    files.write(session(1))
    assert files.read(session(1).id) == session(1)
    (path,) = (tmp_path / "sessions").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_last_one_of_a_folder(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path)
    for number, folder in ((1, "/work"), (2, "/work"), (3, "/other")):
        files.write(session(number, folder))
        os.utime(tmp_path / "sessions" / f"{session(number).id}.json", (number, number))
    broken = tmp_path / "sessions" / "ses_broken.json"
    broken.write_text("{")
    assert files.last("/work") == session(2)
    assert broken.read_text() == "{"


@pytest.mark.parametrize("session_id", ["", "../../etc/passwd", "ses_nosuch", session(9).id])
def test_what_is_not_there(tmp_path: Path, session_id: str) -> None:
    with pytest.raises(ClientError, match="there is no session"):
        SessionFiles(tmp_path).read(session_id)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("a file")
    with pytest.raises(ClientError, match="cannot be kept"):
        SessionFiles(tmp_path).write(session(1))
