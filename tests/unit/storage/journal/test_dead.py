"""What is left of a worker that is gone: found once, read whole however it ended, and deleted when it is settled."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path

import pytest

from tollway.billing.journal import Entry, RecordKind, Replay, frame
from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal.dead import (
    SET_ASIDE,
    Damage,
    DeadJournal,
    damaged_in,
    dead,
    journals_in,
    set_aside_in,
)
from tollway.storage.journal.folders import create
from unit.storage.journal.faulty import FaultyFiles, ids

OPEN, PROGRESS, CLOSE, RELEASE, ACK = RecordKind
A, B, C = ids(1, 2, 3)
SOURCES = Path(__file__).parents[4] / "src"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def leave(root: Path, worker_id: str, *segments: bytes) -> Path:
    """The folder of a worker that died."""
    folder = create(root, worker_id)
    for number, data in enumerate(segments, 1):
        (folder.path / f"{number:08d}.journal").write_bytes(data)
    folder.release()
    return folder.path


def opened(request_id: str, payload: bytes = b"") -> Entry:
    return Entry(request_id, payload, None, None, False)


def only(root: Path, files: FaultyFiles | None = None) -> DeadJournal:
    (found,) = dead(root, files)
    return found


def test_segments_are_read_as_one_journal(root: Path) -> None:
    leave(
        root,
        "w1",
        frame(OPEN, A, b"a") + frame(OPEN, B, b"b") + frame(OPEN, C, b"c"),
        frame(PROGRESS, A, b"1") + frame(CLOSE, B, b"end"),
        frame(ACK, C, b""),
    )
    with only(root) as journal:
        assert journal.worker_id == "w1"
        assert journal.read() == Replay((Entry(A, b"a", b"1", None, False), Entry(B, b"b", None, b"end", False)))
        assert journal.read() == journal.read()
        assert journal.damaged == Damage(0, 0, 0)
        journal.remove()
    assert list(root.iterdir()) == []
    assert list(dead(root)) == []


def test_it_is_ours_until_the_block_ends(root: Path) -> None:
    leave(root, "w1", frame(OPEN, A, b""))
    with only(root):
        assert list(dead(root)) == []
    with only(root) as again:
        assert again.read().entries == (opened(A),)


def test_the_living_are_passed_over(root: Path) -> None:
    living = create(root, "w2")
    leave(root, "w1")
    leave(root, "w3")
    with ExitStack() as held:
        assert [held.enter_context(journal).worker_id for journal in dead(root)] == ["w1", "w3"]
    living.release()


def test_cut_at_any_byte_every_whole_record_is_replayed(root: Path) -> None:
    first = frame(OPEN, A, b"a") + frame(OPEN, B, b"")
    last = [frame(OPEN, C, b"c"), frame(PROGRESS, C, b"12345"), frame(CLOSE, A, b"end"), frame(RELEASE, B, b"")]
    folder = leave(root, "w1", first, b"")
    ends = [0, *accumulate(map(len, last))]
    for cut in range(ends[-1] + 1):
        (folder / "00000002.journal").write_bytes(b"".join(last)[:cut])
        with only(root) as journal:
            replay = {entry.request_id: entry for entry in journal.read().entries}
            complete = sum(end <= cut for end in ends) - 1
            assert journal.damaged == Damage(0, 0, cut - ends[complete])
        assert (C in replay) == (complete >= 1)
        assert complete < 1 or replay[C].progress == (b"12345" if complete >= 2 else None)
        assert replay[A].close == (b"end" if complete >= 3 else None)
        assert replay[B].released == (complete == 4)


def test_a_torn_end_of_an_earlier_segment_is_a_cut_too(root: Path) -> None:
    leave(root, "w1", frame(OPEN, A, b"") + frame(OPEN, B, b"torn")[:-1], frame(OPEN, C, b""))
    with only(root) as journal:
        assert journal.read().entries == (opened(A), opened(C))
        assert journal.damaged == Damage(0, 0, 35)


def test_what_is_damaged_is_set_aside_before_the_rest_is_deleted(root: Path) -> None:
    bad = bytearray(frame(CLOSE, A, b"worth money"))
    bad[-1] ^= 1
    good = frame(OPEN, B, b"")
    leave(root, "w1", good, bytes(bad) + good + b"junk" + good + b"torn")
    aside = root.parent / SET_ASIDE
    with only(root) as journal:
        assert journal.read().entries == (opened(B),)
        assert journal.damaged == Damage(2, len(bad) + 4, 4)
        assert not aside.exists()
    with only(root) as journal:
        journal.remove()  # reads it first
    assert list(root.iterdir()) == []
    (kept,) = aside.iterdir()
    assert kept.name == "damaged-w1-00000002.bin"
    assert damaged_in(root)
    assert kept.read_bytes() == bytes(bad) + b"junk"
    assert (aside.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("call", ["read", "sync", "sync_folder"])
def test_without_a_durable_copy_nothing_is_deleted(call: str, root: Path) -> None:
    leave(root, "w1", b"junk" + frame(OPEN, A, b""))
    files = FaultyFiles()
    with only(root, files) as journal:
        journal.read()
        files.refuse(call, errno.EIO)
        with pytest.raises(JournalUnavailableError, match="journal of w1 cannot be deleted"):
            journal.remove()
        assert journal.read().entries == (opened(A),)
        journal.remove()
    assert [path.read_bytes() for path in (root.parent / SET_ASIDE).iterdir()] == [b"junk"]


def test_requests_that_are_set_aside_can_be_replayed_again(root: Path) -> None:
    entries = (Entry(A, b"a", b"1", None, False), Entry(B, None, None, b"end", False), opened(C, b""))
    leave(root, "w1", frame(OPEN, A, b"a"))
    files = FaultyFiles()
    with only(root, files) as journal:
        for call in ("sync", "sync_folder"):
            files.refuse(call, errno.EIO)
            with pytest.raises(JournalUnavailableError, match="nothing of w1 can be set aside"):
                journal.set_aside(entries)
        journal.set_aside(entries)
        journal.remove()
    (kept,) = (root.parent / SET_ASIDE).iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("left-w1.journal", 0o600)
    assert (set_aside_in(root), damaged_in(root)) == ((str(kept),), False)
    leave(root, "w2", kept.read_bytes())
    with only(root) as journal:
        assert journal.read().entries == entries


def test_a_segment_that_cannot_be_read_is_told_and_nothing_deleted(root: Path) -> None:
    leave(root, "w1", frame(OPEN, A, b""))
    files = FaultyFiles()
    files.refuse("read", errno.EIO, errno.EIO)
    with only(root, files) as journal:
        with pytest.raises(JournalUnavailableError, match="journal of w1 cannot be read"):
            journal.read()
        with pytest.raises(JournalUnavailableError):
            journal.remove()
        assert journal.read().entries == (opened(A),)


def test_a_folder_without_a_segment_is_an_empty_journal(root: Path) -> None:
    (root / "w1").mkdir(parents=True)
    with only(root) as journal:
        assert journal.read() == Replay(())
        journal.remove()
    assert list(root.iterdir()) == []


def test_a_root_that_cannot_be_looked_through_is_told(root: Path) -> None:
    (root / "w1" / "lock").mkdir(parents=True)
    with pytest.raises(JournalUnavailableError, match="no journals can be looked for"):
        list(dead(root))


# Real processes


APPENDS = """
import asyncio, os, sys
from pathlib import Path
from tollway.ids import new_request_id
from tollway.storage.journal.folders import create
from tollway.storage.journal.writer import JournalWriter

async def request(journal, number):
    request_id = new_request_id()
    journal.open(request_id, b"o" * 400)
    os.write(1, b"opened %b\\n" % request_id.encode())
    journal.progress([(request_id, b"p" * 50)])
    os.write(1, b"moved %b\\n" % request_id.encode())
    await journal.close(request_id, b"c" * 400)
    os.write(1, b"closed %b\\n" % request_id.encode())
    if number % 8:
        os.write(1, b"settled %b\\n" % request_id.encode())
        journal.acknowledge([request_id])

async def main():
    journal = JournalWriter(create(Path(sys.argv[1]), "child"), segment_bytes=20_000, segments_max=3)
    while True:
        await asyncio.gather(*(request(journal, number) for number in range(8)))

asyncio.run(main())
"""

LOOKS = """
import sys
from pathlib import Path
from tollway.storage.journal.dead import dead
print("ready", flush=True)
sys.stdin.readline()
held = list(dead(Path(sys.argv[1])))
print(*(journal.worker_id for journal in held), flush=True)
sys.stdin.readline()
"""


def start(program: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )


@pytest.mark.parametrize("lines", [1, 50, 2_000])
def test_after_kill_9_everything_the_child_said_is_there(lines: int, root: Path) -> None:
    with start(APPENDS, root) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        assert list(dead(root)) == []
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    with only(root) as journal:
        replay = {entry.request_id: entry for entry in journal.read().entries}
        assert journal.damaged.spans == 0
        journal.remove()
    assert len(said) >= lines
    told = [(word, request_id) for word, request_id in map(str.split, said)]
    settled = {request_id for word, request_id in told if word == "settled"}
    for word, request_id in told:
        if request_id in settled:
            continue
        entry = replay[request_id]
        assert entry.open == b"o" * 400
        assert word != "moved" or entry.progress == b"p" * 50 or entry.close
        assert word != "closed" or entry.close == b"c" * 400


def test_of_several_processes_that_look_exactly_one_gets_each(root: Path) -> None:
    names = {f"w{number}" for number in range(40)}
    for name in names:
        leave(root, name, frame(OPEN, A, b""))
    with start(LOOKS, root) as one, start(LOOKS, root) as other:
        for child in (one, other):
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in (one, other):
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        found = [(child.stdout.readline().split() if child.stdout else []) for child in (one, other)]
        assert sorted(found[0] + found[1]) == sorted(names)
        assert list(dead(root)) == []
        one.kill()
        one.wait()
        assert {journal.worker_id for journal in dead(root)} == set(found[0])
        other.kill()


def test_who_has_a_journal_here_living_or_dead(root: Path) -> None:
    assert journals_in(root) == frozenset()
    living = create(root, "w1")
    leave(root, "w2", frame(OPEN, A, b"a"))
    for left_over in (".coming-w3-0", ".leaving-w4"):
        (root / left_over).mkdir()
    assert journals_in(root) == {"w1", "w2"}
    living.release()


def test_what_is_set_aside_stays_until_it_is_deleted(root: Path) -> None:
    assert set_aside_in(root) == ()
    for worker in ("w2", "w1"):
        leave(root, worker, frame(OPEN, A, b"a") + b"junk" + frame(OPEN, B, b"b"))
    for journal in dead(root):
        with journal:
            journal.remove()
    aside = root.parent / SET_ASIDE
    assert set_aside_in(root) == tuple(f"{aside}/damaged-{worker}-00000001.bin" for worker in ("w1", "w2"))
    (aside / "damaged-w1-00000001.bin").unlink()
    assert set_aside_in(root) == (f"{aside}/damaged-w2-00000001.bin",)
