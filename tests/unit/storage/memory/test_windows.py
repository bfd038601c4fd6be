"""What only the process's own windows have: a bounded number of keys. The rest is in tests/contract/test_windows.py."""

import asyncio

import pytest

from tollway.catalog.preset import FreeLimits
from tollway.limits.rules import Window, rules_of
from tollway.limits.window import HOLD_MS
from tollway.storage.memory.windows import LOOKED_AT_MAX, SWEPT_MAX, MemoryWindows

HOUR, DAY = 3_600_000, 86_400_000
RULES = rules_of(FreeLimits(hosted_count=2, promotion_count=3))


class Own:
    def __init__(self, keys_max: int) -> None:
        self.now = 0
        self.windows = MemoryWindows(RULES, keys_max, lambda: self.now)
        self._number = 0

    def log(self, key: str, count: int = 1, anonymous: bool = False) -> bool:
        def name() -> str:
            self._number += 1
            return str(self._number)

        return [asyncio.run(self.windows.commit(key, name(), anonymous)) is None for _ in range(count)].count(
            True
        ) == count

    def is_full(self, key: str) -> bool:
        return asyncio.run(self.windows.reserve(key, "probe")) is not None


def test_the_key_used_longest_ago_makes_room() -> None:
    own = Own(3)
    for key in "abca":
        own.log(key)
    assert own.log("d")
    assert list(own.windows._states) == ["c", "a", "d"]


def test_a_full_window_is_never_forgotten() -> None:
    own = Own(3)
    own.log("full", 2)
    for number in range(50):
        own.log(f"k{number}")
    assert len(own.windows) == 3
    assert own.is_full("full")


def test_a_full_day_is_never_forgotten_either() -> None:
    own = Own(2)
    own.log("full", 2, anonymous=True)
    own.now += HOUR + 1
    own.log("full", 1, anonymous=True)
    for number in range(9):
        own.log(f"k{number}")
    full = asyncio.run(own.windows.check("full"))
    assert full
    assert full.rule.window is Window.PROMOTION


def test_a_newcomer_is_refused_while_all_are_full_and_nobody_is_freed_for_it() -> None:
    own = Own(2 * LOOKED_AT_MAX)
    keys = [f"k{number}" for number in range(2 * LOOKED_AT_MAX)]
    for key in keys:
        own.log(key, 2)
    assert not own.log("new")
    full = asyncio.run(own.windows.reserve("new", "r"))
    assert full
    assert full.frees_in_ms == HOLD_MS
    assert all(own.is_full(key) for key in keys)
    own.now += HOUR + 1
    assert own.log("new")


def test_one_that_is_not_full_is_found_behind_many_that_are() -> None:
    own = Own(2 * LOOKED_AT_MAX + 1)
    for number in range(2 * LOOKED_AT_MAX):
        own.log(f"k{number}", 2)
    own.log("open")
    assert [own.log("new") for _ in range(3)] == [False, False, True]


def test_a_place_that_is_given_back_leaves_nothing() -> None:
    own = Own(2)
    assert not own.is_full("a")
    assert own.windows.holds("a", "probe")
    asyncio.run(own.windows.release("a", "probe"))
    assert len(own.windows) == 0
    asyncio.run(own.windows.release("a", "probe"))
    assert not own.windows.holds("a", "probe")


@pytest.mark.parametrize(("anonymous", "passed"), [(False, HOUR + 1), (True, DAY + 60_000)])
def test_what_is_past_is_swept_away(anonymous: bool, passed: int) -> None:
    own = Own(SWEPT_MAX * 2)
    for number in range(SWEPT_MAX + 10):
        own.log(f"k{number}", anonymous=anonymous)
    own.now += passed - 1 if not anonymous else passed - 60_001
    for _ in range(2):
        own.windows.sweep()
    assert len(own.windows) == SWEPT_MAX + 10
    own.now += passed
    own.windows.sweep()
    assert len(own.windows) == 10
    own.windows.sweep()
    assert len(own.windows) == 0
    own.windows.sweep()


def test_sweeping_knows_keys_that_went_meanwhile() -> None:
    own = Own(1_000)
    for number in range(SWEPT_MAX + 1):
        own.log(f"k{number}")
    own.now += HOUR + 1
    own.windows.sweep()
    del own.windows._states["k0"]
    own.windows.sweep()
    assert len(own.windows) == 0
