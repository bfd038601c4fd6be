import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tollway.billing.store import StoreUnavailableError
from tollway.storage.sql.engine import parse_url, writing_engine
from tollway.storage.sql.lane import Lane


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    engine = writing_engine(parse_url(f"sqlite:///{tmp_path}/a.db"), connections=1)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER CHECK (x <> 7))")
    lane = Lane("test", engine, 1, wait_s=10.0, shared=64)
    yield lane
    asyncio.run(lane.close())


def _insert(number: int):
    def work(connection: Connection) -> int:
        connection.exec_driver_sql(f"INSERT INTO t VALUES ({number})")
        if number % 5 == 0:
            raise LookupError(number)
        return number

    return work


def _rows(connection: Connection) -> list[int]:
    return [x for (x,) in connection.exec_driver_sql("SELECT x FROM t ORDER BY x")]


class Gate:
    """Work that keeps the lane busy until it is opened, so that others have to wait together."""

    def __init__(self) -> None:
        self._entered, self._opened = threading.Event(), threading.Event()

    def __call__(self, _: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(10)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._opened.set()


def test_those_who_share_a_commit_succeed_and_fail_alone(lane: Lane) -> None:
    async def scenario() -> None:
        gate = Gate()
        busy = asyncio.create_task(lane.run(gate))
        await gate.entered()
        waiting = [asyncio.create_task(lane.run(_insert(number))) for number in (1, 2, 5, 7, 10, 3)]
        await asyncio.sleep(0)
        gate.open()
        await busy
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [result for result in results if isinstance(result, int)] == [1, 2, 3]
        assert [type(results[place]).__name__ for place in (2, 3, 4)] == [
            "LookupError",
            "IntegrityError",
            "LookupError",
        ]
        assert await lane.run(_rows) == [1, 2, 3]

    asyncio.run(scenario())


def test_a_shared_commit_that_fails_fails_for_all(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        gate = Gate()
        busy = asyncio.create_task(lane.run(gate))
        await gate.entered()
        waiting = [asyncio.create_task(lane.run(_insert(number))) for number in (1, 2)]
        await asyncio.sleep(0)
        monkeypatch.setattr(lane.engine.dialect, "do_commit", _fail)
        gate.open()
        results = await asyncio.gather(busy, *waiting, return_exceptions=True)
        monkeypatch.undo()
        assert [type(result) for result in results] == [ZeroDivisionError] * 3
        assert await lane.run(_rows) == []

    asyncio.run(scenario())


def _fail(_: object) -> None:
    raise ZeroDivisionError


def test_work_cancelled_before_its_turn_never_runs(lane: Lane) -> None:
    async def scenario() -> None:
        gate = Gate()
        busy = asyncio.create_task(lane.run(gate))
        await gate.entered()
        waiting = asyncio.create_task(lane.run(_insert(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.open()
        await busy
        assert await lane.run(_rows) == []

    asyncio.run(scenario())


def test_work_cancelled_in_its_turn_runs_to_its_end(lane: Lane) -> None:
    async def scenario() -> None:
        gate = Gate()

        def work(connection: Connection) -> None:
            gate(connection)
            _insert(1)(connection)

        running = asyncio.create_task(lane.run(work))
        await gate.entered()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        gate.open()
        assert await lane.run(_rows) == [1]

    asyncio.run(scenario())


def test_the_queue_has_an_end(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("tollway.storage.sql.lane.WAITING_MAX", 1)
        gate = Gate()
        busy = asyncio.create_task(lane.run(gate))
        await gate.entered()
        waiting = asyncio.create_task(lane.run(_insert(1)))
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailableError, match="wait for the database already"):
            await lane.run(_insert(2))
        patient = asyncio.create_task(lane.run(_insert(3), is_patient=True))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(busy, waiting, patient)
        assert await lane.run(_rows) == [1, 3]

    asyncio.run(scenario())


def test_waiting_too_long_is_refused_and_closing_waits_for_what_runs(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        lane._wait_s = 0.01
        gate = Gate()
        busy = asyncio.create_task(lane.run(gate))
        await gate.entered()
        with pytest.raises(StoreUnavailableError, match="no database connection was free"):
            await lane.run(_insert(1))
        monkeypatch.setattr("tollway.storage.sql.lane.PATIENT_WAIT_S", 0.02)
        with pytest.raises(StoreUnavailableError, match=r"within 0\.02 s"):
            await lane.run(_insert(1), is_patient=True)
        closing = asyncio.create_task(lane.close())
        await asyncio.sleep(0)
        assert not closing.done()
        gate.open()
        await asyncio.gather(busy, closing)
        with pytest.raises(StoreUnavailableError, match="closed"):
            await lane.run(_insert(1))

    asyncio.run(scenario())
