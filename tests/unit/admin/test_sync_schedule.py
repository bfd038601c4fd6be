import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tollway.admin.sync_schedule import ASK_S, FIRST_S, REARM_S, Schedule
from unit.admin.fake_sync import Lock

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class World:
    """Seconds go on only when told; each run stores a snapshot unless it is to fail."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.newest: datetime | None = None
        self.fails = False
        self.runs: list[float] = []
        self.alarms: list[float] = []
        self.lock = Lock()
        self.schedule = Schedule(
            interval_s=600,
            stale_s=3_600,
            lock=self.lock,
            newest_at=self._newest_at,
            run=self._run,
            now=self._now,
            monotonic=lambda: self.seconds,
            on_stale=self.alarms.append,
        )

    def _now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def _newest_at(self) -> datetime | None:
        return self.newest

    async def _run(self) -> None:
        self.runs.append(self.seconds)
        if not self.fails:
            self.newest = self._now()

    def pass_(self, seconds: float, step: float = 1) -> None:
        """So many seconds, with a look each step."""
        ends_at = self.seconds + seconds
        while self.seconds < ends_at:
            asyncio.run(self.schedule.run_if_due())
            self.seconds += step


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_run_is_at_once_and_then_one_each_interval(world: World) -> None:
    world.pass_(1_500)
    assert world.runs == [0, 600, 1_200]


def test_what_another_has_stored_lately_is_not_read_again(world: World) -> None:
    world.newest = START - timedelta(seconds=100)
    world.pass_(1_200)
    assert world.runs == [500, 1_100]
    world.newest = START + timedelta(days=1)  # a clock that is ahead does not stop it for ever
    world.pass_(700)
    assert len(world.runs) == 2


def test_who_has_not_got_the_lock_asks_now_and_then(world: World) -> None:
    world.lock.is_held = True
    world.pass_(90)
    assert (world.runs, world.lock.tries) == ([], 90 / ASK_S)
    world.lock.is_held = False
    world.pass_(ASK_S)
    assert world.runs == [90]


def test_while_there_is_nothing_at_all_it_is_tried_more_often(world: World) -> None:
    world.fails = True
    world.pass_(200)
    assert world.runs == [0, FIRST_S, 2 * FIRST_S, 3 * FIRST_S]
    world.schedule = replace(world.schedule, interval_s=5)
    world.pass_(10)
    assert world.runs[4:] == [200, 205]


def test_an_old_snapshot_is_an_alarm_once(world: World) -> None:
    world.pass_(1)
    world.fails = True
    world.pass_(4_000, 10)
    assert len(world.alarms) == 1
    assert world.alarms[0] > 3_600
    world.pass_(REARM_S, 100)
    assert len(world.alarms) == 2
    world.fails = False
    world.pass_(700, 10)
    world.fails = True
    world.pass_(4_300, 10)
    assert len(world.alarms) == 3
