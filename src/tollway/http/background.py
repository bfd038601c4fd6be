"""Work beside the requests: started by one helper that keeps hold of it and reports its errors."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from tollway.billing.store import JournalUnavailableError, StoreUnavailableError
from tollway.http.guard import Guard
from tollway.observability.logs import get_log

END_S: Final = 3.0  # what was started once may take so long when the worker ends

# How jobs are started: every so many seconds, under a name. `Background.every`.
Every = Callable[[float, str, Callable[[], Awaitable[object] | object]], None]

_log = get_log()


class Background:
    """Repeating jobs of one worker, and work that is done once."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._once: set[asyncio.Task[None]] = set()

    def every(self, seconds: float, name: str, job: Callable[[], Awaitable[object] | object]) -> None:
        """Run `job` again and again, `seconds` after it ended. A failure does not stop it; that database or journal
        cannot be reached is said once, and again when they can."""
        task = asyncio.get_running_loop().create_task(_repeat(seconds, name, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Do `work` once, from the loop's next turn on. Who calls must bound how much of it there is."""
        task = asyncio.get_running_loop().create_task(_guarded(work))
        self._once.add(task)
        task.add_done_callback(self._once.discard)
        return task

    async def stop(self) -> None:
        """Jobs end at once; other work is waited for, but not long."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                while self._once:  # what ends may have started more
                    await asyncio.wait(tuple(self._once))
        for task in (rest := tuple(self._once)):
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


async def _guarded(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with Guard():
        await work()


async def _repeat(seconds: float, name: str, job: Callable[[], Awaitable[object] | object]) -> None:
    was_kept_away = False
    while True:
        await asyncio.sleep(seconds)
        with Guard():
            was_kept_away = await _run(name, job, was_kept_away)


async def _run(name: str, job: Callable[[], Awaitable[object] | object], was_kept_away: bool) -> bool:
    """Whether it was kept away this time."""
    try:
        result = job()
        if isinstance(result, Awaitable):
            await result
    except (StoreUnavailableError, JournalUnavailableError) as error:
        if not was_kept_away:
            _log.error("job_must_wait", job=name, error=error)
        return True
    if was_kept_away:
        _log.info("job_goes_on", job=name)
    return False
