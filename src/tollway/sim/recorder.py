"""Keep the record: in memory, and in a file that one thread writes and syncs for many lines at a time.

The event loop never waits for the disk. Records become durable in the order they were added.
"""

import asyncio
import os
import threading
from asyncio import AbstractEventLoop, Future
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tollway.sim.record import AnswerRecord, Record, decode_records, encode_record, whole_bytes

RECORDS_MAX: Final = 100_000
_GATHER_S: Final = 0.01

Notice = Callable[[], None]


class Recorder:
    """Records of this run and, with a file, of earlier runs; the oldest are forgotten in memory, never in the file."""

    def __init__(self, path: Path | None, loop: AbstractEventLoop, failed: Callable[[OSError], None]) -> None:
        """failed: called on the loop when the disk refuses a line; nothing can be promised from then on."""
        self._records: deque[Record] = deque(maxlen=RECORDS_MAX)
        self._answers: OrderedDict[str, AnswerRecord] = OrderedDict()
        self._loop = loop
        self._next: Future[None] | None = None
        self._file = None if path is None else _RecordFile(path, loop, failed)
        if path is not None:
            for record in decode_records(path.read_bytes()):
                self._remember(record)

    def add(self, record: Record, durable: Notice | None = None) -> None:
        """Take a record; `durable` is called on the loop once it will survive a crash."""
        self._remember(record)
        if self._next is not None:
            self._next.set_result(None)
            self._next = None
        if self._file is not None:
            self._file.add(record, durable)
        elif durable is not None:
            durable()

    def records(self) -> list[Record]:
        """All records in memory, oldest first."""
        return list(self._records)

    async def wait_for_next(self) -> None:
        """Return once another record was added."""
        if self._next is None:
            self._next = self._loop.create_future()
        await asyncio.shield(self._next)

    def find_answer(self, answer_id: str) -> AnswerRecord | None:
        """The answer with this id, if it has ended."""
        return self._answers.get(answer_id)

    def close(self) -> None:
        """Write and sync what is left; blocks for as long as the disk takes."""
        if self._file is not None:
            self._file.close()

    def _remember(self, record: Record) -> None:
        self._records.append(record)
        if isinstance(record, AnswerRecord):
            self._answers[record.id] = record
            if len(self._answers) > RECORDS_MAX:
                self._answers.popitem(last=False)


class _RecordFile:
    """The file and its thread."""

    def __init__(self, path: Path, loop: AbstractEventLoop, failed: Callable[[OSError], None]) -> None:
        self._loop, self._failed = loop, failed
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._descriptor, whole_bytes(path.read_bytes()))
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._notices: list[Notice] = []
        self._added, self._hurry = threading.Event(), threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sim-record", daemon=True)
        self._thread.start()

    def add(self, record: Record, durable: Notice | None) -> None:
        with self._lock:
            self._records.append(record)
            if durable is not None:
                self._notices.append(durable)
        if durable is not None:
            self._hurry.set()
        if not self._added.is_set():
            self._added.set()

    def close(self) -> None:
        self._closing = True
        self._hurry.set()
        self._added.set()
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        try:
            while not self._closing:
                self._added.wait()
                self._hurry.wait(_GATHER_S)
                self._added.clear()
                self._hurry.clear()
                self._write_gathered()
            self._write_gathered()
        except OSError as error:
            self._loop.call_soon_threadsafe(self._failed, error)

    def _write_gathered(self) -> None:
        with self._lock:
            records, self._records = self._records, []
            notices, self._notices = self._notices, []
        data = memoryview(b"".join(map(encode_record, records)))
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)
        if notices:
            self._loop.call_soon_threadsafe(_notify, notices)


def _notify(notices: list[Notice]) -> None:
    for notice in notices:
        notice()
