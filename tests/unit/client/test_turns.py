"""A question to its end, with a gateway, a display and tools that are made up."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from tollway.catalog.client_model import ClientModel
from tollway.client.answer_reader import Piece, ToolCall
from tollway.client.chat_request import ChatRequests
from tollway.client.spending import Spent
from tollway.client.turns import STEPS_MAX, Broken, BrokenAnswerError, Call, Told, Turns
from tollway.wire.answer_head import AnswerHead
from tollway.wire.json_body import JsonObject
from unit.client.fakes import gateways

STREAM = AnswerHead(200, b"text/event-stream")


def line(delta: dict[str, Any], reason: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": reason}]}).encode() + b"\n\n"


TEXT = [line({"content": "hello"}), line({}, "stop")]
TOOL = [line({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "t", "arguments": "{}"}}]}, "tool_calls")]


class FakeCall:
    def __init__(self, head: AnswerHead = STREAM, pieces: Sequence[bytes | BaseException] = TEXT) -> None:
        self.head = head
        self.abandoned = False
        self._pieces = pieces

    async def body(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def abandon(self) -> None:
        self.abandoned = True


class Scene:
    """Implements everything that Turns is given, and remembers what happened in order."""

    definitions: Sequence[JsonObject] = ()

    def __init__(self, *answers: FakeCall | Broken) -> None:
        self.answers = list(answers)
        self.happened: list[str] = []
        self.slept: list[float] = []
        self.bodies: list[dict[str, Any]] = []
        self.told = Told([{"role": "user", "content": "hi"}])

    async def start(self, body: bytes, headers: Mapping[str, str]) -> Call | Broken:
        self.bodies.append(json.loads(body))
        return self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def use(self, call: ToolCall) -> str:
        return f"result of {call.name}"

    def step_started(self) -> None:
        self.happened.append("started")

    def piece(self, piece: Piece) -> None:
        self.happened.append(piece.text)

    def tool_used(self, call: ToolCall, result: str) -> None:
        self.happened.append(result)

    def step_finished(self, reason: str, spent: Spent, pieces: int) -> None:
        self.happened.append(f"finished: {reason}")

    def waiting(self, why: str, seconds: float) -> None:
        self.happened.append(f"waiting: {why}")

    def failed(self, why: str) -> None:
        self.happened.append(f"failed: {why}")

    def run(self) -> bool:
        requests = ChatRequests(gateways()["fastrouter"], ClientModel(id="m", name="m"), "s", lambda: "u")
        turns = Turns(self.start, requests, None, self, self, self.sleep, lambda: 0.5)
        return asyncio.run(turns.run(self.told))


def refusal(status: int, retry_after_s: int | None = None) -> FakeCall:
    return FakeCall(AnswerHead(status, retry_after_s=retry_after_s, own_request_id=b"r1"), [b'{"error":"no"}'])


def test_an_answer() -> None:
    scene = Scene(call := FakeCall())
    assert scene.run()
    assert scene.happened == ["started", "hello", "finished: stop"]
    assert scene.told.messages[-1] == {"role": "assistant", "content": "hello"}
    assert call.abandoned


def test_a_tool_in_between() -> None:
    scene = Scene(FakeCall(pieces=TOOL), FakeCall())
    assert scene.run()
    assert scene.happened[1:4] == ["finished: tool_calls", "result of t", "started"]
    assert scene.bodies[1]["messages"][-1] == {"role": "tool", "tool_call_id": "c", "content": "result of t"}


def test_tools_without_end() -> None:
    scene = Scene(FakeCall(pieces=TOOL))
    assert not scene.run()
    assert len(scene.bodies) == STEPS_MAX
    assert "without coming to an end" in scene.happened[-1]


def test_waits_between_attempts() -> None:
    scene = Scene(Broken("gone"), refusal(503), refusal(429, 7), FakeCall())
    assert scene.run()
    assert scene.slept == [2.0, 4.0, 7.0]
    assert scene.happened[1] == "waiting: gone"
    assert len({json.dumps(body) for body in scene.bodies}) == 1


def test_an_end_to_attempts() -> None:
    scene = Scene(Broken("gone"))
    assert not scene.run()
    assert scene.slept == [2.0, 4.0, 8.0, 20.0]
    assert scene.happened[-2:] == ["finished: error", "failed: gone"]
    assert len(scene.told.messages) == 1


def test_a_refusal_is_told_with_its_request() -> None:
    scene = Scene(call := refusal(404))
    assert not scene.run()
    assert scene.happened[-1] == "failed: Not Found: no (request r1)"
    assert (scene.slept, call.abandoned) == ([], True)


def test_an_answer_that_breaks_is_kept_as_far_as_it_came() -> None:
    scene = Scene(FakeCall(pieces=[TEXT[0], BrokenAnswerError("cut")]))
    assert not scene.run()
    assert scene.happened[-2:] == ["finished: error", "failed: cut"]
    assert scene.told.messages[-1]["content"] == "hello"


def test_an_interruption_closes_the_connection_and_loses_nothing() -> None:
    scene = Scene(call := FakeCall(pieces=[TEXT[0], asyncio.CancelledError()]))
    with pytest.raises(asyncio.CancelledError):
        scene.run()
    assert (call.abandoned, scene.told.is_interrupted, scene.told.pieces_uncounted) == (True, True, 1)
    assert scene.happened[-1] == "finished: interrupted"
    assert scene.told.messages[-1]["content"] == "hello"
