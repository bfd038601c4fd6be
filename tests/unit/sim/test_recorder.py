"""The recorder: durable when it says so, whole again after a torn line, honest about a full disk."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from tollway.sim.record import AnswerRecord, Record, decode_records
from tollway.sim.recorder import Recorder


def answer(number: int) -> AnswerRecord:
    return AnswerRecord(
        id=f"gen-{number}",
        time=1.0,
        x_request_id=None,
        model="m",
        streamed=False,
        status=200,
        ending="complete",
        finish_reason="stop",
        prompt_tokens=1,
        cached_tokens=0,
        completion_tokens=1,
        reasoning_tokens=0,
        cost="0",
        reported_usage=None,
        latency_ms=0.0,
        generation_ms=0.0,
    )


def fail(error: OSError) -> None:
    raise error


def test_a_durable_record_is_in_the_file(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[Record], Recorder]:
        recorder = Recorder(path, asyncio.get_running_loop(), fail)
        recorder.add(answer(1))
        durable = asyncio.Event()
        recorder.add(answer(2), durable.set)
        await durable.wait()
        return decode_records(path.read_bytes()), recorder

    path = tmp_path / "record.jsonl"
    records, recorder = asyncio.run(scenario())
    assert records == [answer(1), answer(2)]
    recorder.add(answer(3))
    recorder.close()
    assert decode_records(path.read_bytes())[-1] == answer(3)
    assert path.stat().st_mode & 0o077 == 0


def test_a_restart_remembers_and_drops_a_torn_line(tmp_path: Path) -> None:
    async def start() -> Recorder:
        return Recorder(path, asyncio.get_running_loop(), fail)

    path = tmp_path / "record.jsonl"
    first = asyncio.run(start())
    first.add(answer(1))
    first.close()
    with path.open("ab") as file:
        file.write(b'{"kind":"answer","id":"gen-torn')
    second = asyncio.run(start())
    assert second.find_answer("gen-1") == answer(1)
    second.add(answer(2))
    second.close()
    assert decode_records(path.read_bytes()) == [answer(1), answer(2)]


def test_without_a_file_everything_is_in_memory() -> None:
    async def start() -> Recorder:
        return Recorder(None, asyncio.get_running_loop(), fail)

    recorder = asyncio.run(start())
    told: list[bool] = []
    recorder.add(answer(1), lambda: told.append(True))
    assert (recorder.records(), recorder.find_answer("gen-2"), told) == ([answer(1)], None, [True])
    recorder.close()


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    async def scenario() -> OSError:
        failed: asyncio.Future[OSError] = asyncio.get_running_loop().create_future()
        recorder = Recorder(tmp_path / "r", asyncio.get_running_loop(), failed.set_result)
        monkeypatch.setattr(os, "fsync", refuse)
        recorder.add(answer(1))
        error = await failed
        monkeypatch.undo()
        recorder.close()
        return error

    assert asyncio.run(scenario()).errno == errno.ENOSPC
