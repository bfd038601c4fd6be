import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from tollway.billing.store import JournalUnavailableError, StoreUnavailableError
from tollway.http.background import Background

AWAY = StoreUnavailableError("no database")
STUCK = JournalUnavailableError("disk is full")
BUG = ValueError()


class Job:
    """Ends each time as the script says; when that is over, somebody is told."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.over = asyncio.Event()

    def __call__(self) -> None:
        end = self.script.pop(0) if self.script else None
        if not self.script:
            self.over.set()
        if end:
            raise end

    async def later(self) -> None:
        await asyncio.sleep(0)
        self()


def events(*script: Exception | None, job_of: Callable[[Job], Callable[[], Awaitable[None] | None]]) -> list[str]:
    """What is logged while a job is run until its script is over, and once more."""

    async def run() -> None:
        job, background = Job(*script), Background()
        background.every(0, "books", job_of(job))
        async with asyncio.timeout(30):  # or it is not run at all
            await job.over.wait()
            job.over.clear()
            await job.over.wait()
        await background.stop()

    with capture_logs() as lines:
        asyncio.run(run())
    assert {line.get("job", "books") for line in lines} <= {"books"}
    return [line["event"] for line in lines]


@pytest.mark.parametrize("job_of", [lambda job: job, lambda job: job.later], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([None, None], []),
        ([BUG, BUG, None], ["internal_error"] * 2),  # a failure does not stop it
        ([AWAY, AWAY, AWAY, None, None], ["job_must_wait", "job_goes_on"]),
        ([STUCK, AWAY, None], ["job_must_wait", "job_goes_on"]),
        ([AWAY, None, AWAY, None], ["job_must_wait", "job_goes_on"] * 2),
        ([AWAY, BUG, AWAY, None], ["job_must_wait", "internal_error", "job_goes_on"]),
    ],
)
def test_a_job_is_run_again_and_that_it_must_wait_is_said_once(
    script: list[Exception | None], said: list[str], job_of: Callable[[Job], Callable[[], Awaitable[None] | None]]
) -> None:
    assert events(*script, job_of=job_of) == said


def test_nothing_is_run_after_a_stop() -> None:
    async def run() -> tuple[int, int]:
        runs, background = 0, Background()
        begun = asyncio.Event()

        async def job() -> None:
            nonlocal runs
            runs += 1
            begun.set()
            await asyncio.Event().wait()

        background.every(0, "one", job)
        background.every(1_000_000, "another", job)
        await begun.wait()
        await background.stop()
        await asyncio.sleep(0)
        return runs, len(asyncio.all_tasks()) - 1

    assert asyncio.run(run()) == (1, 0)


def test_work_is_done_once_and_a_bug_in_it_goes_no_further() -> None:
    done: list[str] = []

    async def run() -> None:
        background = Background()

        async def work() -> None:
            done.append("work")
            background.start(more)  # what ends may start more

        async def more() -> None:
            await asyncio.sleep(0)
            done.append("more")

        async def broken() -> None:
            raise BUG

        background.start(work)
        background.start(broken)
        await background.stop()

    with capture_logs() as lines:
        asyncio.run(run())
    assert done == ["work", "more"]
    assert [line["event"] for line in lines] == ["internal_error"]


def test_what_does_not_end_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tollway.http.background.END_S", 0.01)

    async def run() -> tuple[bool, int]:
        background = Background()

        async def hang() -> None:
            await asyncio.Event().wait()

        task = background.start(hang)
        await background.stop()
        return task.cancelled(), len(asyncio.all_tasks()) - 1

    assert asyncio.run(run()) == (True, 0)
