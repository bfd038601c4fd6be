"""What dead workers have left: their journals are settled, then their leases come back (guarantees M5).

Done at start, before anything is served, and every few seconds for siblings that died since. Idempotent by request id,
and resumable: a journal is deleted only when all of it is in the books.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from msgspec import MsgspecError, Struct

from tollway.billing.journal import Entry, Replay
from tollway.billing.ledger import Outcome
from tollway.billing.recovery import recover
from tollway.billing.store import Books
from tollway.observability.logs import get_log

BATCH_MAX: Final = 500

_log = get_log()


class Damage(Protocol):
    """Spans and bytes in the middle of a journal that are not what was written."""

    @property
    def spans(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class DeadJournal(AbstractContextManager["DeadJournal"], Protocol):
    """Ours until the end of its block. Methods wait for the disk and raise JournalUnavailableError."""

    @property
    def worker_id(self) -> str: ...

    @property
    def damaged(self) -> Damage: ...

    def read(self) -> Replay: ...

    def remove(self) -> None:
        """Delete it; what is damaged is kept elsewhere."""
        ...


class Replayed(Struct, frozen=True):
    """`settled` requests had been closed, `interrupted` ones had not; `unreadable` had no usable record of their
    opening; `damaged` spans were set aside."""

    workers: int = 0
    settled: int = 0
    interrupted: int = 0
    unreadable: int = 0
    damaged: int = 0

    def plus(self, other: "Replayed") -> "Replayed":
        return Replayed(
            self.workers + other.workers,
            self.settled + other.settled,
            self.interrupted + other.interrupted,
            self.unreadable + other.unreadable,
            self.damaged + other.damaged,
        )


async def replay(dead: Callable[[], Iterator[DeadJournal]], books: Books) -> Replayed:
    """Settle every journal whose worker is gone. Raises StoreUnavailableError and JournalUnavailableError."""
    total = Replayed()
    for journal in dead():
        with journal:
            total = total.plus(await _replay(journal, books))
    return total


async def _replay(journal: DeadJournal, books: Books) -> Replayed:
    read = await asyncio.to_thread(journal.read)
    ended = [entry for entry in read.entries if not entry.released]
    recovered = [(entry, outcome) for entry in ended if (outcome := _recover(entry))]
    outcomes = [outcome for _, outcome in recovered]
    for begin in range(0, len(outcomes), BATCH_MAX):
        await _settle(journal.worker_id, outcomes[begin : begin + BATCH_MAX], books)
    await books.retire(journal.worker_id)
    settled = sum(entry.close is not None for entry, _ in recovered)
    done = Replayed(
        workers=1,
        settled=settled,
        interrupted=len(recovered) - settled,
        unreadable=len(ended) - len(recovered),
        damaged=journal.damaged.spans,
    )
    _log.info("journal_replayed", worker=journal.worker_id, settled=done.settled, interrupted=done.interrupted)
    if done.unreadable or done.damaged:
        _log.error("journal_damaged", worker=journal.worker_id, unreadable=done.unreadable, spans=done.damaged)
    await asyncio.to_thread(journal.remove)
    return done


async def _settle(worker_id: str, batch: Sequence[Outcome], books: Books) -> None:
    """One that the books cannot take must not keep the others out; it stays in the log for an operator."""
    try:
        await books.settle(worker_id, batch)
    except (ArithmeticError, ValueError) as error:
        if len(batch) == 1:
            _log.error("settlement_refused", request_id=batch[0].hold.request_id, error=error)
            return
        for outcome in batch:
            await _settle(worker_id, [outcome], books)


def _recover(entry: Entry) -> Outcome | None:
    """Its outcome; None when nothing can be said of it, which must not keep the others out."""
    try:
        if entry.open is None:
            raise ValueError("its opening was lost")
        return recover(entry.request_id, entry.open, entry.progress, entry.close)
    except (MsgspecError, ValueError, ArithmeticError) as error:
        _log.error("journal_entry_unreadable", request_id=entry.request_id, error=error)
        return None
