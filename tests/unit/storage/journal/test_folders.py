"""Who owns a folder, also when several look at the same time. A lock belongs to an open file, so threads and repeated
calls in one process meet it like processes do; test_dead.py has real ones."""

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal import folders
from tollway.storage.journal.folders import LOCK, create, unowned
from unit.storage.journal.faulty import WAIT_S


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "var" / "journal"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_private_and_locked_while_it_is_held(root: Path) -> None:
    folder = create(root, "w1")
    assert folder.path == root / "w1"
    assert (mode(root), mode(folder.path), mode(folder.path / LOCK)) == (0o700, 0o700, 0o600)
    assert list(unowned(root)) == []
    folder.release()
    (found,) = unowned(root)
    assert found.path == folder.path
    assert list(unowned(root)) == []
    found.release()
    found.release()


def test_a_worker_id_is_used_once(root: Path) -> None:
    first = create(root, "w1")
    (first.path / "00000001.journal").write_bytes(b"")
    with pytest.raises(JournalUnavailableError):
        create(root, "w1")
    assert list(unowned(root)) == []
    assert [path.name for path in root.iterdir()] == ["w1"]  # the attempt is gone
    first.release()


@pytest.mark.parametrize("worker_id", ["", ".", "..", "a/b", ".coming-x", "x" * 65, "a\n"])
def test_an_id_is_fit_for_a_name(worker_id: str, root: Path) -> None:
    with pytest.raises(ValueError, match="a worker id is"):
        create(root, worker_id)


def test_where_no_folder_can_be_the_journal_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalUnavailableError, match="no journal can be created"):
        create(tmp_path / "file" / "journal", "w1")


def test_segments_come_in_order_and_nothing_else(root: Path) -> None:
    folder = create(root, "w1")
    for name in ("00000010.journal", "00000009.journal", "reserve", "9.journal", "0000000x.journal"):
        (folder.path / name).write_bytes(b"")
    assert [path.name for path in folder.segment_paths()] == ["00000009.journal", "00000010.journal"]
    folder.remove()


def test_a_removed_folder_leaves_nothing(root: Path) -> None:
    folder = create(root, "w1")
    (folder.path / "00000001.journal").write_bytes(b"x")
    folder.remove()
    assert list(root.iterdir()) == []
    assert list(unowned(root)) == []


def test_a_crash_while_it_was_created_leaves_an_empty_folder_that_can_be_owned(root: Path) -> None:
    (root / "w1").mkdir(parents=True)
    (found,) = unowned(root)
    assert found.segment_paths() == []
    assert list(unowned(root)) == []
    found.remove()
    assert list(root.iterdir()) == []


def test_left_overs_are_deleted_unless_somebody_brings_a_folder_in_or_out(root: Path) -> None:
    for name, files in (("coming-a", []), ("coming-b", [LOCK]), ("leaving-c", [LOCK, "00000001.journal"])):
        (root / f".{name}").mkdir(parents=True)
        for file in files:
            (root / f".{name}" / file).write_bytes(b"")
    busy = os.open(root, os.O_RDONLY)
    fcntl.flock(busy, fcntl.LOCK_EX)
    assert list(unowned(root)) == []
    assert len(list(root.iterdir())) == 3
    os.close(busy)
    assert list(unowned(root)) == []
    assert list(root.iterdir()) == []


def test_a_left_over_of_the_same_name_is_taken_over(root: Path) -> None:
    (root / ".coming-w1").mkdir(parents=True)
    (root / ".coming-w1" / LOCK).write_bytes(b"")
    create(root, "w1").remove()
    assert list(root.iterdir()) == []


def test_what_is_not_ours_is_left_alone(root: Path) -> None:
    root.mkdir(parents=True)
    (root / "file").write_bytes(b"")
    (root / "lost+found").mkdir()
    (root / ".hidden").mkdir()
    assert list(unowned(root)) == []
    assert len(list(root.iterdir())) == 3


def test_without_a_root_there_is_nothing(root: Path) -> None:
    assert list(unowned(root)) == []


def test_a_folder_that_went_while_we_looked_is_not_owned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner renames it after we opened its lock, before we have it."""
    folder = create(root, "w1")
    flock = fcntl.flock

    def remove_first(lock: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        folder.remove()
        flock(lock, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    assert list(unowned(root)) == []
    assert list(root.iterdir()) == []


def test_nobody_sweeps_while_one_is_created(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = folders._take_lock

    def look_first(folder: Path, flags: int = 0) -> int | None:
        monkeypatch.setattr(folders, "_take_lock", take)
        assert list(unowned(root)) == []
        assert folder.exists()
        return take(folder, flags)

    monkeypatch.setattr(folders, "_take_lock", look_first)
    create(root, "w1").remove()


def test_one_that_somebody_else_has_locked_is_not_ours(root: Path) -> None:
    (root / ".coming-w1").mkdir(parents=True)
    busy = os.open(root / ".coming-w1" / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(busy, fcntl.LOCK_EX)
    with pytest.raises(JournalUnavailableError, match="somebody else has"):
        create(root, "w1")
    os.close(busy)


def test_creating_and_removing_beside_many_who_look(root: Path) -> None:
    """Nobody ever gets a folder that is held, and everybody who creates one has it."""
    root.mkdir(parents=True)
    stolen: list[str] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for folder in unowned(root):
                stolen.append(folder.path.name)
                folder.release()

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for thread in lookers:
        thread.start()
    try:
        for number in range(200):
            folder = create(root, f"w{number}")
            (folder.path / "00000001.journal").write_bytes(b"x")
            folder.remove()
    finally:
        ended.set()
        for thread in lookers:
            thread.join(WAIT_S)
    assert stolen == []
    assert list(unowned(root)) == []
    assert list(root.iterdir()) == []
