"""The player: pauses, back-pressure and records, on a transport that only remembers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from pathlib import Path

from tollway.sim.player import Player
from tollway.sim.record import AnswerRecord, decode_records
from tollway.sim.recorder import Recorder
from tollway.sim.steps import Ended, Leave, Send, Step, Wait
from tollway.sim.turn import Turn


class Memory(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True


class Stage:
    """One player and everything around it."""

    def __init__(self, steps: Iterator[Step], path: Path | None = None) -> None:
        self.transport, self.finished = Memory(), asyncio.Event()
        self.recorder = Recorder(path, asyncio.get_running_loop(), lambda error: None)
        turn = Turn("gen-1", 1.0, None, "m", True)
        self.player = Player(
            self.transport,
            asyncio.get_running_loop(),
            steps,
            turn,
            self.recorder,
            lambda: 2.0,
            self.finished.set,
            sync=path is not None,
        )

    @property
    def answer(self) -> AnswerRecord | None:
        return self.recorder.find_answer("gen-1")


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await scenario()

    asyncio.run(bounded())


def test_what_lies_between_pauses_is_one_write() -> None:
    async def scenario() -> None:
        stage = Stage(iter([Send(b"a", 1), Send(b"b", 2), Wait(0), Send(b"c"), Ended("complete"), Leave.KEEP_ALIVE]))
        stage.player.play()
        assert (stage.transport.writes, stage.answer) == ([b"ab"], None)
        await stage.finished.wait()
        assert stage.transport.writes == [b"ab", b"c"]
        assert stage.answer
        assert (stage.answer.ending, stage.answer.completion_tokens) == ("complete", 0)

    run(scenario)


def test_a_full_buffer_stops_generation_until_there_is_room() -> None:
    async def scenario() -> None:
        steps = iter([Send(b"x" * 70_000), Send(b"y"), Ended("complete"), Leave.KEEP_ALIVE])
        stage = Stage(steps)
        stage.player.pause()
        stage.player.play()
        assert stage.transport.writes == []
        stage.player.resume()
        await stage.finished.wait()
        assert [len(data) for data in stage.transport.writes] == [70_000, 1]

    run(scenario)


def test_large_answers_let_others_run() -> None:
    async def scenario() -> None:
        stage = Stage(repeat(Send(b"x" * 40_000)))
        stage.player.play()
        assert len(stage.transport.writes) == 1
        stage.player.stop("client_gone")
        stage.player.stop("client_gone")
        assert stage.answer
        assert stage.answer.ending == "client_gone"

    run(scenario)


def test_the_last_bytes_wait_for_the_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        stage = Stage(iter([Send(b"a"), Ended("complete"), Send(b"b"), Leave.CLOSE]), tmp_path / "r")
        stage.player.play()
        assert stage.transport.writes == [b"a"]
        assert stage.answer
        durable = asyncio.Event()
        stage.recorder.add(stage.answer, durable.set)  # Durable after all before it.
        await durable.wait()
        assert stage.transport.closed
        assert stage.transport.writes == [b"a", b"b"]
        assert decode_records((tmp_path / "r").read_bytes()) == stage.recorder.records()
        stage.recorder.close()

    run(scenario)
