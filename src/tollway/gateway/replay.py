"""What dead workers have left: their journals are settled, then their leases come back (guarantees M5).

Done at start, before anything is served, and every few seconds for siblings that died since. Idempotent by request id,
and resumable: a journal is deleted only when all of it is in the books or set aside for an operator.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from msgspec import MsgspecError, Struct

from tollway.billing.journal import Entry, Replay
from tollway.billing.ledger import Outcome
from tollway.billing.recovery import recover
from tollway.billing.store import Books, JournalUnavailableError
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

    def set_aside(self, entries: Sequence[Entry]) -> None:
        """Keep what cannot be settled where an operator finds it; durable."""
        ...

    def remove(self) -> None:
        """Delete it; what is damaged is kept elsewhere."""
        ...


class Replayed(Struct, frozen=True):
    """`settled` requests had been closed, `interrupted` ones had not. Set aside: requests that were `unreadable` or
    `refused` by the books, and `damaged` spans. `unavailable` journals could not be read, and are there still."""

    workers: int = 0
    settled: int = 0
    interrupted: int = 0
    unreadable: int = 0
    refused: int = 0
    damaged: int = 0
    unavailable: int = 0

    def plus(self, other: "Replayed") -> "Replayed":
        return Replayed(
            self.workers + other.workers,
            self.settled + other.settled,
            self.interrupted + other.interrupted,
            self.unreadable + other.unreadable,
            self.refused + other.refused,
            self.damaged + other.damaged,
            self.unavailable + other.unavailable,
        )


async def replay(dead: Callable[[], Iterator[DeadJournal]], books: Books) -> Replayed:
    """Settle every journal whose worker is gone; one that the disk does not give keeps the others waiting no longer
    than that. Raises StoreUnavailableError, and JournalUnavailableError when no journals can be looked for."""
    total = Replayed()
    for journal in dead():
        with journal:
            try:
                total = total.plus(await _replay(journal, books))
            except JournalUnavailableError as error:
                _log.error("journal_unavailable", worker=journal.worker_id, error=error)
                total = total.plus(Replayed(unavailable=1))
    return total


async def _replay(journal: DeadJournal, books: Books) -> Replayed:
    read = await asyncio.to_thread(journal.read)
    ended = [entry for entry in read.entries if not entry.released]
    recovered = [(entry, outcome) for entry in ended if (outcome := _recover(entry))]
    refused: set[str] = set()
    for begin in range(0, len(recovered), BATCH_MAX):
        batch = [outcome for _, outcome in recovered[begin : begin + BATCH_MAX]]
        refused |= await _settle(journal.worker_id, batch, books)
    settled = [entry for entry, _ in recovered if entry.request_id not in refused]
    complete = sum(entry.close is not None for entry in settled)
    done = Replayed(
        workers=1,
        settled=complete,
        interrupted=len(settled) - complete,
        unreadable=len(ended) - len(recovered),
        refused=len(refused),
        damaged=journal.damaged.spans,
    )
    if len(settled) < len(ended):
        done_ids = {entry.request_id for entry in settled}
        left = [entry for entry in ended if entry.request_id not in done_ids]
        await asyncio.to_thread(journal.set_aside, left)
    await books.retire(journal.worker_id)
    _log.info("journal_replayed", worker=journal.worker_id, settled=done.settled, interrupted=done.interrupted)
    if done.unreadable or done.refused or done.damaged:
        _log.error(
            "journal_set_aside",
            worker=journal.worker_id,
            unreadable=done.unreadable,
            refused=done.refused,
            spans=done.damaged,
        )
    await asyncio.to_thread(journal.remove)
    return done


async def _settle(worker_id: str, batch: Sequence[Outcome], books: Books) -> set[str]:
    """The requests that the books cannot take, which must not keep the others out."""
    try:
        await books.settle(worker_id, batch)
    except (ArithmeticError, ValueError) as error:
        if len(batch) == 1:
            _log.error("settlement_refused", request_id=batch[0].hold.request_id, error=error)
            return {batch[0].hold.request_id}
        return {id_ for outcome in batch for id_ in await _settle(worker_id, [outcome], books)}
    return set()


def _recover(entry: Entry) -> Outcome | None:
    """Its outcome; None when nothing can be said of it, which must not keep the others out."""
    try:
        if entry.open is None:
            raise ValueError("its opening was lost")
        return recover(entry.request_id, entry.open, entry.progress, entry.close)
    except (MsgspecError, ValueError, ArithmeticError) as error:
        _log.error("journal_entry_unreadable", request_id=entry.request_id, error=error)
        return None
