"""Lane: the threads in which transactions run, as many as connections, with a bounded wait for a turn.

Several transactions that wait for SQLite's one writer are run in one go, each behind a savepoint of its own, and share
the commit and its fsync (guarantees M2 allows it): each is still done entirely or not at all, and nobody is told
"done" before the commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.store import StoreUnavailableError

T = TypeVar("T")

SHARED_COMMIT_MAX: Final = 64  # transactions in one commit
WAITING_MAX: Final = 1_000  # transactions that wait for a turn
PATIENT_WAIT_S: Final = 5.0  # at least, of what is not to be shed before requests


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)


class Lane:
    """`connections` threads over `engine`; `shared` is how many transactions may share a commit (1: none)."""

    def __init__(self, name: str, engine: Engine, connections: int, *, wait_s: float, shared: int = 1) -> None:
        self.engine = engine
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix=f"tollway-{name}")
        self._waiting: deque[_Job] = deque()
        self._wait_s = wait_s
        self._shared = shared

    async def run(self, work: Callable[[Connection], T], *, is_patient: bool = False) -> T:
        """One transaction around `work`: committed when it returns, rolled back when it raises.

        Raises StoreUnavailableError when no connection became free in time, or too many wait already. Cancelled before
        its turn it never runs; later it runs to its end all the same. As `is_patient` it may wait behind however many,
        and for longer than they do: those before it give up or have their turn, and it is not shed with them.
        """
        wait_s = max(self._wait_s, PATIENT_WAIT_S) if is_patient else self._wait_s
        if len(self._waiting) >= WAITING_MAX and not is_patient:
            raise StoreUnavailableError(f"{WAITING_MAX} transactions wait for the database already")
        job = _Job(work)
        self._waiting.append(job)
        try:
            self._threads.submit(self._take_turn)
        except RuntimeError:
            raise StoreUnavailableError("the database is closed") from None
        result = asyncio.wrap_future(job.future)
        try:
            done, _ = await asyncio.wait((result,), timeout=wait_s)
        except asyncio.CancelledError:
            result.cancel()
            raise
        if not done and job.future.cancel():
            raise StoreUnavailableError(f"no database connection was free within {wait_s:g} s")
        outcome: T = await result
        return outcome

    async def close(self) -> None:
        """Wait for what runs and what waits, then let go of the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self.engine.dispose()

    def _take_turn(self) -> None:
        jobs: list[_Job] = []
        while len(jobs) < self._shared and self._waiting:
            try:
                job = self._waiting.popleft()
            except IndexError:  # another thread was faster
                break
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
        if jobs:
            self._run(jobs)

    def _run(self, jobs: list[_Job]) -> None:
        ended: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            with self.engine.begin() as connection:
                if len(jobs) == 1:
                    ended.append((jobs[0], jobs[0].work(connection), None))
                else:
                    ended.extend((job, *_behind_savepoint(connection, job.work)) for job in jobs)
        except BaseException as error:  # whatever it is, those who wait must hear of it
            for job in jobs:
                job.future.set_exception(error)
            return
        for job, result, failure in ended:
            if failure is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)


def _behind_savepoint(connection: Connection, work: Callable[[Connection], T]) -> tuple[T | None, BaseException | None]:
    """The result of `work`, or what it raised after its part was undone. Raises when it cannot be undone alone."""
    connection.exec_driver_sql("SAVEPOINT turn")
    try:
        result = work(connection)
    except BaseException as error:
        try:
            connection.exec_driver_sql("ROLLBACK TO turn")
        except SQLAlchemyError:
            raise error from None
        connection.exec_driver_sql("RELEASE turn")
        return None, error
    connection.exec_driver_sql("RELEASE turn")
    return result, None
