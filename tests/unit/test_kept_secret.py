from pathlib import Path

import pytest

from tollway import kept_secret
from tollway.kept_secret import EmptySecretError, read_or_make


def test_it_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    secret = read_or_make(path)
    assert len(secret) == 64
    assert read_or_make(path) == secret
    assert [one.name for one in path.parent.iterdir()] == ["secret"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_file_has_its_own(tmp_path: Path) -> None:
    assert read_or_make(tmp_path / "a") != read_or_make(tmp_path / "b")


def test_what_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" mine\n")
    assert read_or_make(tmp_path / "secret") == b"mine"


def test_of_two_that_start_at_once_the_first_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"

    def while_the_other_makes_it(size: int) -> bytes:
        path.write_text("other")
        return bytes(size)

    monkeypatch.setattr(kept_secret, "random_bytes", while_the_other_makes_it)
    assert read_or_make(path) == b"other"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(EmptySecretError):
        read_or_make(tmp_path / "secret")
