import asyncio

import pytest

from tollway.deadlines import NEVER, PART, PART_TICK_S, TICK_S, Deadlines


class Entry:
    def __init__(self, deadlines: Deadlines, deadline: float, again_s: float = NEVER) -> None:
        self.deadline = deadline
        self.expired: list[float] = []
        self._again_s = again_s
        deadlines.watch(self)

    def expire(self, now: float) -> None:
        self.expired.append(now)
        self.deadline = now + self._again_s


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_what_is_late_expires() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    early, late, never = Entry(deadlines, 5), Entry(deadlines, 10), Entry(deadlines, NEVER)
    clock.now = 4.9
    assert deadlines.sweep() == 0
    clock.now = 5
    assert deadlines.sweep() == 1
    clock.now = 1e9
    assert deadlines.sweep() == 1
    assert (early.expired, late.expired, never.expired) == ([5], [1e9], [])


def test_an_entry_that_moves_its_deadline_expires_again() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    entry = Entry(deadlines, 1, again_s=2)
    for clock.now in (0, 1, 2, 3, 4, 5):
        deadlines.sweep()
    assert entry.expired == [1, 3, 5]


def test_a_forgotten_entry_does_not_expire() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    entry = Entry(deadlines, 1)
    deadlines.forget(entry)
    deadlines.forget(entry)
    clock.now = 2
    assert (deadlines.sweep(), len(deadlines)) == (0, 0)


def test_an_entry_may_end_another_in_the_same_sweep() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)

    class Pair(Entry):
        other: "Pair"

        def expire(self, now: float) -> None:
            super().expire(now)
            deadlines.forget(self.other)

    first, second = Pair(deadlines, 1), Pair(deadlines, 1)
    first.other, second.other = second, first
    clock.now = 1
    deadlines.sweep()
    assert sorted([first.expired, second.expired]) == [[], [1]]


def test_a_broken_entry_is_reported_once_and_does_not_keep_the_others_waiting() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)

    class Broken(Entry):
        def expire(self, now: float) -> None:
            raise RuntimeError("a bug")

    Broken(deadlines, 1)
    entries = [Entry(deadlines, 1) for _ in range(20)]
    clock.now = 1
    with pytest.raises(RuntimeError):
        deadlines.sweep()
    deadlines.sweep()
    assert [entry.expired for entry in entries] == [[1]] * 20


@pytest.mark.parametrize(
    ("count", "parts", "wait_s"),
    [(0, 1, TICK_S), (PART, 1, TICK_S), (PART + 1, 2, TICK_S / 2), (20 * PART, 20, PART_TICK_S)],
)
def test_many_are_swept_part_by_part(count: int, parts: int, wait_s: float) -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    entries = [Entry(deadlines, 1) for _ in range(count)]
    clock.now = 1
    for number in range(parts):
        assert deadlines.sweep_part() == wait_s
        assert sum(bool(entry.expired) for entry in entries) == min((number + 1) * PART, count)
    clock.now = 2
    late = Entry(deadlines, 2)
    assert deadlines.sweep_part() > 0
    for _ in range(parts + 1):
        deadlines.sweep_part()
    assert late.expired == [2]


def test_what_is_forgotten_between_two_parts_does_not_expire() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    entries = [Entry(deadlines, 1) for _ in range(2 * PART)]
    clock.now = 1
    deadlines.sweep_part()
    left = [entry for entry in entries if not entry.expired]
    for entry in left:
        deadlines.forget(entry)
    deadlines.sweep_part()
    assert not any(entry.expired for entry in left)


def test_it_sweeps_every_tick_until_stopped() -> None:
    async def run() -> None:
        deadlines = Deadlines(tick_s=0.001)
        expired = asyncio.Event()

        class Once(Entry):
            def expire(self, now: float) -> None:
                super().expire(now)
                expired.set()

        deadlines.start(asyncio.get_running_loop())
        Once(deadlines, 0)
        await expired.wait()
        deadlines.stop()
        deadlines.stop()

    asyncio.run(run())
