"""Pools of guarded origins, apart from the operator's: as many as there are owners, so as many as the bound.

Room for one more is made by letting go of the pool that was used longest ago and has no request under way. While all
have one, there is no room: whoever comes then is told that we are busy.
"""

from collections.abc import Callable, Iterator

from tollway.providers.registry import Origin
from tollway.upstream.pool import Pool


class GuardedPools:
    """`make` makes a pool; `most` are kept."""

    def __init__(self, make: Callable[[Origin], Pool], most: int) -> None:
        self._make = make
        self._most = most
        self._pools: dict[Origin, Pool] = {}  # the one used longest ago first

    def of(self, origin: Origin) -> Pool | None:
        """The origin's pool, or None when there is no room for one."""
        pool = self._pools.pop(origin, None)
        if pool is None:
            if len(self._pools) >= self._most and not self._make_room():
                return None
            pool = self._make(origin)
        self._pools[origin] = pool
        return pool

    def _make_room(self) -> bool:
        for origin, pool in self._pools.items():
            if pool.open == pool.idle:
                pool.close()
                del self._pools[origin]
                return True
        return False

    def __len__(self) -> int:
        return len(self._pools)

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())
