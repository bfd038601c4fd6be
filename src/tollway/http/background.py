"""Work beside the requests: started by one helper that keeps hold of it and reports its errors."""

import asyncio
from collections.abc import Awaitable, Callable

from tollway.http.guard import guard


class Background:
    """Repeating jobs of one worker."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def every(self, seconds: float, job: Callable[[], Awaitable[object]]) -> None:
        """Run `job` again and again, `seconds` after it ended; a failure is reported and does not stop it."""
        task = asyncio.get_running_loop().create_task(_repeat(seconds, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(seconds: float, job: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await guard(job())
