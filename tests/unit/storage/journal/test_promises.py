"""The promises of the journal, whatever is done in whatever order, on a disk that refuses anything at any time.

Opened: on the disk at once. Closed: durable. Ended: no replay brings it back. Nothing else is ever lost.
"""

import asyncio
import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollway.billing.journal import Entry
from tollway.billing.store import JournalUnavailableError
from tollway.storage.journal.folders import create
from tollway.storage.journal.writer import JournalWriter
from unit.storage.journal.faulty import FaultyFiles, HandSyncer, durable, ids, on_disk, outcome, rounds, run

ROOM = 6000
FAILING = ("write", "sync", "truncate", "create", "allocate", "unlink", "read_part", "sync_folder")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["open", "open", "progress", "close", "release", "ack"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["again", "round", "sync", "settle", "probe", "heal"]), st.integers(0, 4)),
        st.tuples(st.just("fail"), st.integers(0, len(FAILING) - 1)),
        st.tuples(st.just("fill"), st.integers(0, 200)),
    ),
    max_size=80,
)


class Model:
    """A journal, and what a replay must find in it."""

    def __init__(self, root: Path) -> None:
        self.files = FaultyFiles(room=ROOM)
        self.folder = root / "worker"
        self.journal = JournalWriter(
            create(root, "worker"),
            files=self.files,
            segment_bytes=640,
            segments_max=2,
            reserve_bytes=1000,
            sync_interval_s=3600.0,
        )
        self.syncer = HandSyncer.of(self.journal)
        self.wanted: dict[str, dict[str, bytes]] = {}  # neither acknowledged nor released
        self.closes: dict[str, asyncio.Future[None]] = {}
        self._number = 0

    async def step(self, name: str, which: int) -> None:
        self._number += 1
        running = [request_id for request_id in self.wanted if request_id not in self.closes]
        ended = [request_id for request_id in self.wanted if request_id in self.closes]
        if name == "open":
            self._open(ids(self._number)[0])
        elif name == "fail":
            self.files.refuse(FAILING[which], errno.EIO)
        elif name == "fill":
            self.files.room = which
        elif name == "heal":
            self.files.room = ROOM
        elif name == "probe":
            self.journal.probe()
        elif name == "round":
            await rounds(1)
        elif name == "sync":
            self.syncer.turn()
        elif name == "settle":
            await self.settle()
        elif name == "ack" and ended:
            self._acknowledge(ended[which % len(ended)])
        elif running and name != "ack":
            self._go_on(name, running[which % len(running)])

    def _open(self, request_id: str) -> None:
        payload = b"o%d" % self._number
        try:
            self.journal.open(request_id, payload)
            self.wanted[request_id] = {"open": payload}
        except JournalUnavailableError:
            assert not self.journal.is_available

    def _go_on(self, name: str, request_id: str) -> None:
        if name == "again":
            self._open(request_id)
        elif name == "progress":
            dropped = self.journal.dropped
            self.journal.progress([(request_id, b"p%d" % self._number)])
            if self.journal.dropped == dropped:
                self.wanted[request_id]["progress"] = b"p%d" % self._number
        elif name == "close":
            self.closes[request_id] = self.journal.close(request_id, b"end")
        else:
            self.journal.release(request_id)
            del self.wanted[request_id]

    def _acknowledge(self, request_id: str) -> None:
        if self.closes[request_id].done():
            self.journal.acknowledge([request_id])
            del self.wanted[request_id]

    async def settle(self) -> None:
        await rounds()
        while self.journal._commit.is_busy:
            self.syncer.turn()
            await rounds()

    def look(self) -> None:
        """If the process died now; and if the power failed now."""
        found = {entry.request_id: entry for entry in on_disk(self.folder).entries}
        safe = {entry.request_id: entry for entry in durable(self.folder, self.files).entries}
        for request_id, fields in self.wanted.items():
            assert found[request_id].open == fields["open"]
            close = self.closes.get(request_id)
            if close is None:
                assert found[request_id].progress == fields.get("progress")
            elif close.done() and close.exception() is None:
                assert safe[request_id].close == b"end"

    def look_at_the_end(self) -> None:
        """Everything was written: a replay finds what is wanted, and nothing else."""
        expected = []
        for request_id, fields in self.wanted.items():
            end = b"end" if request_id in self.closes else None
            expected.append(Entry(request_id, fields["open"], None if end else fields.get("progress"), end, False))
        for replay in (on_disk(self.folder), durable(self.folder, self.files)):
            left = [entry for entry in replay.entries if not entry.released]
            assert sorted(left, key=lambda entry: entry.request_id) == expected


@settings(deadline=None)
@given(steps=STEPS)
def test_every_promise_is_kept(steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("any") / "journal"

    async def scenario() -> None:
        model = Model(root)
        for name, which in steps:
            await model.step(name, which)
            model.look()
        model.files._script.clear()
        model.files.room = 100_000
        for _ in range(2):  # the first may meet a sync that has failed already
            model.journal.probe()
            await model.settle()
        assert model.journal.is_available
        assert model.journal.health().open_ids == len(model.wanted)
        await outcome(model.closes.values())
        model.syncer.is_eager = True
        await model.journal.shut()
        assert model.folder.exists() == bool(model.wanted)
        if model.wanted:
            model.look_at_the_end()

    with HandSyncer.everywhere():
        run(scenario())
