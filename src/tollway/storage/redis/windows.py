"""RedisWindows: the windows of all processes of a deployment. Keys and answers: `scripts.py`."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollway.limits.rules import FreeRules
from tollway.limits.store import Full, WindowsUnavailableError
from tollway.limits.window import HOLD_MS
from tollway.steps import beside
from tollway.storage.redis.scripts import CHECK, COMMIT, RELEASE, RESERVE

_ITS_OWN_CLOCK: Final = -1
_KEYS: Final = ("hosted", "held", "promotion")


class RedisWindows:
    """Implements Windows. No call takes longer than `timeout_s`, whatever Redis does or does not."""

    def __init__(
        self, client: Redis, rules: FreeRules, timeout_s: float, now_ms: Callable[[], int] | None = None
    ) -> None:
        """`now_ms`: milliseconds since 1970, where Redis' own clock is not wanted."""
        self._client = client
        self._rules = rules
        self._timeout_s = timeout_s
        self._now = now_ms or (lambda: _ITS_OWN_CLOCK)
        self._reserve = client.register_script(RESERVE)
        self._check = client.register_script(CHECK)
        self._commit = client.register_script(COMMIT)
        self._release = client.register_script(RELEASE)

    async def reserve(self, key: str, request_id: str) -> Full | None:
        return await self._run(self._reserve, key, request_id)

    async def check(self, key: str) -> Full | None:
        return await self._run(self._check, key)

    async def commit(self, key: str, request_id: str, is_anonymous: bool) -> Full | None:
        return await self._run(self._commit, key, request_id, is_anonymous)

    async def release(self, key: str, request_id: str) -> None:
        await self._run(self._release, key, request_id)

    async def close(self) -> None:
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _run(self, script: Any, key: str, request_id: str = "", is_anonymous: bool = False) -> Full | None:
        hosted, promotion = self._rules.hosted, self._rules.promotion
        arguments = (self._now(), HOLD_MS, hosted.most, hosted.length_ms, promotion.most, promotion.length_ms)
        keys = [f"tollway:free:{{{key}}}:{name}" for name in _KEYS]
        work = self._ask(script, keys, (*arguments, request_id, int(is_anonymous)))
        answer = await beside(work, asyncio.get_running_loop())  # the client needs a current task
        match answer:
            case [0, _]:
                return None
            case [1 | 2 as which, int(frees_in_ms)]:
                return Full(hosted if which == 1 else promotion, frees_in_ms)
        raise WindowsUnavailableError("not an answer of ours")

    async def _ask(self, script: Any, keys: list[str], arguments: tuple[Any, ...]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await script(keys, arguments)
        except (RedisError, OSError, TimeoutError) as error:
            raise WindowsUnavailableError(type(error).__name__) from error
