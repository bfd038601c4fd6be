"""Run a request without a task: its coroutine goes on within the call that brings what it waits for.

A task costs as much as reading a whole request head, is started a turn of the event loop late, and goes on another turn
late after each wait (measurements §5). `Steps` starts at once and is resumed by futures like a task; what is `given` to
a `Later` resumes it on the spot. What needs asyncio's idea of a current task (`asyncio.timeout`, for one) must not run
here; `beside` lets it run in a task.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Later(asyncio.Future[T]):
    """A future for one waiter who goes on at once, within `give`. In a task it is an ordinary future."""

    resume: Callable[[], None] | None = None

    def give(self, value: T) -> None:
        """Set the result. What the waiter then does is done before this returns."""
        self.set_result(value)
        if self.resume:
            self.resume()


class Steps:
    """One coroutine, from its start to its end. `on_end` is called once; an exception that leaves the coroutine is a
    bug and goes to the loop's handler."""

    __slots__ = ("_loop", "_on_end", "_waits_for", "_work")

    def __init__(
        self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, on_end: Callable[["Steps"], None]
    ) -> None:
        self._work = work
        self._loop = loop
        self._on_end = on_end
        self._waits_for: asyncio.Future[Any] | None = None

    def go_on(self) -> None:
        """Run until the coroutine waits again, or ends."""
        self._waits_for = None
        waits_for, has_ended = None, True
        try:
            waits_for = self._work.send(None)
            has_ended = False
        except (StopIteration, asyncio.CancelledError):
            pass
        finally:
            if has_ended:
                self._on_end(self)
        if not has_ended:
            self._wait_for(waits_for)

    def cancel(self) -> None:
        """End what the coroutine waits for; it hears of it as a CancelledError."""
        if self._waits_for:
            later, self._waits_for = self._waits_for, None
            later.cancel()
            if later.__class__ is Later:
                self.go_on()

    def _wait_for(self, future: asyncio.Future[Any] | None) -> None:
        if future is None:  # asyncio.sleep(0)
            self._loop.call_soon(self.go_on)
            return
        self._waits_for = future
        future._asyncio_future_blocking = False  # what tells a future that it is awaited; tasks reset it as well
        if future.__class__ is Later:
            future.resume = self.go_on
        else:
            future.add_done_callback(self._woken)

    def _woken(self, _: asyncio.Future[Any]) -> None:
        self.go_on()


async def beside(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    """Run `work` in a task of its own and wait for it."""
    return await loop.create_task(work)
