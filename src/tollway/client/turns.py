"""One question to its end: requests, retries, and tools the model uses in between. What it touches is passed in.

Source: catalog-and-clients C.13, D.4.5 to D.4.10.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from tollway.catalog.client_model import Cost
from tollway.client.answer_reader import AnswerReader, Piece, ToolCall
from tollway.client.chat_request import ChatRequests
from tollway.client.refusal import refusal_text, status_text
from tollway.client.retries import pause_s
from tollway.client.spending import NOTHING_SAID, Spent, added, spent_of
from tollway.wire.answer_head import AnswerHead
from tollway.wire.json_body import JsonObject

STEPS_MAX: Final = 50
_REFUSAL_BYTES_MAX: Final = 65_536
_OK: Final = range(200, 300)


class Broken(Struct, frozen=True):
    """A connection failed before any byte of an answer; `why` is for people."""

    why: str


class BrokenAnswerError(Exception):
    """An answer ended before its end; the text is for people."""


class Call(Protocol):
    """A request whose answer has begun."""

    head: AnswerHead

    def body(self) -> AsyncIterator[bytes]:
        """As it arrives. Raises BrokenAnswerError."""
        ...

    def abandon(self) -> None:
        """Close the connection at once, if the answer is not over."""
        ...


StartCall = Callable[[bytes, Mapping[str, str]], Awaitable[Call | Broken]]


class Display(Protocol):
    """Shows what happens, to a person or to a program."""

    def step_started(self) -> None: ...

    def piece(self, piece: Piece) -> None: ...

    def tool_used(self, call: ToolCall, result: str) -> None: ...

    def step_finished(self, reason: str, spent: Spent, pieces: int) -> None:
        """pieces: of output that arrived."""
        ...

    def waiting(self, why: str, seconds: float) -> None:
        """Before the next attempt."""
        ...

    def failed(self, why: str) -> None: ...


class Tools(Protocol):
    """What a model may use. Every call gets a result, which may say why not."""

    definitions: Sequence[JsonObject]

    async def use(self, call: ToolCall) -> str: ...


class Told(Struct):
    """What came of it so far: kept as it grows, for whoever is interrupted. `messages` is the whole conversation."""

    messages: list[JsonObject]
    spent: list[Spent] = []
    is_interrupted: bool = False
    pieces_uncounted: int = 0

    @property
    def total(self) -> Spent:
        return added(self.spent)


class Turns:
    """roll: 0 to 1, anew each time. sleep: seconds."""

    def __init__(
        self,
        start: StartCall,
        requests: ChatRequests,
        prices: Cost | None,
        display: Display,
        tools: Tools,
        sleep: Callable[[float], Awaitable[None]],
        roll: Callable[[], float],
    ) -> None:
        self._start = start
        self._requests = requests
        self._prices = prices
        self._display = display
        self._tools = tools
        self._sleep = sleep
        self._roll = roll

    async def run(self, told: Told) -> bool:
        """Ask, and let the model use its tools until it has answered. False: it failed, and the display knows why."""
        for _ in range(STEPS_MAX):
            reader = await self._step(told)
            if reader is None or reader.error:
                return False
            if not reader.calls:
                return True
            for call in reader.calls:
                result = await self._tools.use(call)
                self._display.tool_used(call, result)
                told.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        self._display.failed(f"the model used tools {STEPS_MAX} times without coming to an end")
        return False

    async def _step(self, told: Told) -> AnswerReader | None:
        self._display.step_started()
        call = await self._answered(told.messages)
        if call is None:
            return None
        reader = AnswerReader()
        try:
            await self._read(call, reader)
        except CancelledError:
            reader.error = "interrupted"
            told.is_interrupted = True
            raise
        finally:
            call.abandon()
            self._finish(reader, told)
        return reader

    def _finish(self, reader: AnswerReader, told: Told) -> None:
        spent = spent_of(reader.usage, self._prices)
        told.spent.append(spent)
        if reader.usage is None:
            told.pieces_uncounted += reader.output_pieces
        if reader.text or reader.calls:
            told.messages.append(reader.message())
        ended = "interrupted" if told.is_interrupted else "error" if reader.error else ""
        self._display.step_finished(ended or reader.finish_reason or "unknown", spent, reader.output_pieces)
        if reader.error and not told.is_interrupted:
            self._display.failed(reader.error)

    async def _read(self, call: Call, reader: AnswerReader) -> None:
        try:
            if call.head.is_stream:
                async for data in call.body():
                    self._show(reader.feed(data))
                    if reader.error or reader.is_done:
                        return
                self._show(reader.close())
            else:
                self._show(reader.take_whole(b"".join([data async for data in call.body()])))
        except BrokenAnswerError as broken:
            reader.error = str(broken)

    def _show(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            self._display.piece(piece)

    async def _answered(self, messages: Sequence[JsonObject]) -> Call | None:
        """An answer that is none of an error; None: it was refused for good, and the display knows why."""
        body, headers = self._requests.request(messages)
        attempts = 0
        while True:
            call = await self._start(body, headers)
            attempts += 1
            if isinstance(call, Broken):
                why, status, asked_s = call.why, 0, None
            elif call.head.status in _OK:
                return call
            else:
                why, status, asked_s = await _refusal(call), call.head.status, call.head.retry_after_s
            pause = pause_s(attempts, status, asked_s, self._roll())
            if pause is None:
                self._display.step_finished("error", NOTHING_SAID, 0)
                self._display.failed(why)
                return None
            self._display.waiting(why, pause)
            await self._sleep(pause)


async def _refusal(call: Call) -> str:
    body = b""
    try:
        async for data in call.body():
            body += data
            if len(body) > _REFUSAL_BYTES_MAX:
                break
    except BrokenAnswerError:
        return status_text(call.head.status)
    finally:
        call.abandon()
    request_id = call.head.own_request_id or call.head.request_id
    return refusal_text(call.head.status, body, request_id.decode("ascii", "replace"))
