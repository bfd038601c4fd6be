import errno
from pathlib import Path

import pytest

from tollway.storage.journal.reserve import Reserve
from unit.storage.journal.faulty import FaultyFiles


def test_a_reserve_is_taken_once_and_given_up_once(tmp_path: Path) -> None:
    files = FaultyFiles(room=100)
    reserve = Reserve(tmp_path, files, 60)
    assert (reserve.is_held, reserve.disk_bytes) == (False, 0)
    reserve.take()
    reserve.take()
    assert (reserve.is_held, reserve.disk_bytes, files.room) == (True, 60, 40)
    assert reserve.give_up()
    assert not reserve.give_up()
    assert (reserve.is_held, files.room, list(tmp_path.iterdir())) == (False, 100, [])


def test_without_room_there_is_no_reserve(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, FaultyFiles(room=59), 60)
    with pytest.raises(OSError, match="No space left"):
        reserve.take()
    assert not reserve.is_held


def test_where_room_cannot_be_set_aside_at_all_we_go_without(tmp_path: Path) -> None:
    files = FaultyFiles()
    files.refuse("allocate", errno.EOPNOTSUPP)
    reserve = Reserve(tmp_path, files, 60)
    reserve.take()
    assert not reserve.is_held


def test_a_reserve_that_cannot_be_deleted_gives_no_room(tmp_path: Path) -> None:
    files = FaultyFiles()
    reserve = Reserve(tmp_path, files, 60)
    reserve.take()
    files.refuse("unlink", errno.EIO)
    assert not reserve.give_up()
    assert not reserve.is_held
    reserve.take()
    assert reserve.is_held
