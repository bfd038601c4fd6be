"""What is inside of a folder, really, and what may be read as a file."""

import os
from pathlib import Path

import pytest

from tollway.client.errors import ClientError
from tollway.storage.client.working_folder import WorkingFolder, read_file


@pytest.fixture
def folder(tmp_path: Path) -> WorkingFolder:
    root = tmp_path / "root"
    (root / "sub" / "keys").mkdir(parents=True)
    (root / "sub" / "keys" / "auth.json").write_text("key")
    (root / "a.txt").write_text("a")
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "b.txt").write_text("b")
    (root / "out").symlink_to(tmp_path / "root-2" / "b.txt")
    (root / "up").symlink_to("..")
    (root / "in").symlink_to("a.txt")
    (root / "loop").symlink_to("loop")
    return WorkingFolder(root, tmp_path, [root / "sub" / "keys"])


@pytest.mark.parametrize("path", ["a.txt", "./sub/../a.txt", "in", "nosuch", "~/root/a.txt", "{root}/a.txt"])
def test_inside(folder: WorkingFolder, path: str) -> None:
    assert folder.find(path.format(root=folder.root)).is_inside


@pytest.mark.parametrize(
    "path",
    [
        *("../root-2/b.txt", "out", "up", "up/root-2/b.txt", "/etc/passwd", "..", "~/root-2/b.txt", "nosuch/../../x"),
        *("sub/keys/auth.json", "sub/keys"),
    ],
)
def test_outside(folder: WorkingFolder, path: str) -> None:
    """A name that only begins alike is outside; so is what is kept secret, wherever it is."""
    assert not folder.find(path).is_inside


@pytest.mark.parametrize("path", ["loop", "a\0b", "x" * 300])
def test_paths_that_lead_nowhere(folder: WorkingFolder, path: str) -> None:
    with pytest.raises(ClientError):
        read_file(folder.find(path), 10)


def test_only_regular_files_of_a_size_are_read(folder: WorkingFolder) -> None:
    assert read_file(folder.find("a.txt"), 10) == b"a"
    os.mkfifo(folder.root / "pipe")
    for path, bytes_max in (("pipe", 10), ("sub", 10), ("nosuch", 10), ("a.txt", 0), ("/dev/zero", 10)):
        with pytest.raises(ClientError):
            read_file(folder.find(path), bytes_max)


def test_a_link_put_there_after_the_look_is_not_followed(folder: WorkingFolder) -> None:
    found = folder.find("a.txt")
    found.path.unlink()
    found.path.symlink_to(folder.root.parent / "root-2" / "b.txt")
    with pytest.raises(ClientError):
        read_file(found, 10)
