"""One question at a time: whoever asks what is being asked already gets that answer, and asks nobody.

For look-ups whose answer is then kept: when it is forgotten, however many need it at that moment, one asks.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Of one event loop. What is under way ends, whoever gives up waiting: others may wait for it too."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._under_way

    async def ask(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work`, or of the one under way for an equal key. Raises what it raises."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(partial(self._forget, key))
        return await asyncio.shield(task)

    def _forget(self, key: Hashable, _: asyncio.Task[T]) -> None:
        del self._under_way[key]
