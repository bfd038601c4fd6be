import errno
import os
import stat
from pathlib import Path

import pytest

from tollway.storage.journal.files import Files, is_full


def test_files_are_private_and_appended_to(tmp_path: Path) -> None:
    files = Files()
    path = tmp_path / "a"
    descriptor = files.create(path)
    assert files.write(descriptor, b"one") == 3
    os.lseek(descriptor, 0, os.SEEK_SET)
    files.write(descriptor, b"two")
    files.sync(descriptor)
    files.truncate(descriptor, 5)
    files.close(descriptor)
    assert files.read(path) == b"onetw"
    reading = files.open_to_read(path)
    assert files.read_part(reading, 2, 1) == b"ne"
    files.close(reading)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        files.create(path)
    files.unlink(path)
    files.unlink(path)  # gone is gone
    files.sync_folder(tmp_path)


def test_allocated_room_is_really_taken(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    Files().allocate(path, 1 << 20)
    assert path.stat().st_size == 1 << 20
    assert path.stat().st_blocks * 512 >= 1 << 20


def test_a_failed_allocation_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Files().allocate(tmp_path / "reserve", 1 << 62)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_cannot_be_synced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        Files().sync_folder(tmp_path / "a")


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_full_is_about_room_only(number: int, full: bool) -> None:
    assert is_full(OSError(number, "")) is full
