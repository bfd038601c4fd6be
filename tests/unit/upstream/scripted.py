"""An upstream that says exactly the bytes it is told to, and a sink that remembers what it heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from tollway.deadlines import Deadlines
from tollway.gateway.upstream_port import Failure
from tollway.providers.registry import Origin
from tollway.settings import Limits, Timeouts
from tollway.upstream.pool import Pool
from tollway.wire.answer_head import NO_HEAD, AnswerHead
from unit.gateway.fakes import Clock

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.new_event_loop,
}
PATIENCE_S = 20
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run(scenario: Coroutine[Any, Any, None], loop: str = "uvloop") -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(bounded())


class Sink:
    """Implements ReplySink; `over` is done once nothing more can come."""

    def __init__(self) -> None:
        self.wanted = True
        self.status = 0
        self.head = NO_HEAD
        self.body = b""
        self.pieces = self.chunks = 0
        self.failure: Failure | None = None
        self.over = asyncio.Event()
        self.heard = asyncio.Event()  # any part of a body

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        self.head_arrived(head)
        if body:
            self.body_arrived(body)
        self.ended()

    def head_arrived(self, head: AnswerHead) -> None:
        assert not self.status
        self.status, self.head = head.status, head

    def body_arrived(self, data: bytes) -> None:
        assert not self.over.is_set()
        self.body += data
        self.pieces += 1
        self.heard.set()

    def takes_chunk(self, data: bytes, begin: int) -> bool:
        """Every other one, so that both ways are gone."""
        self.chunks += 1
        if self.chunks % 2:
            return False
        self.body_arrived(data[begin:-2])
        return True

    def ended(self) -> None:
        assert not self.over.is_set()
        self.over.set()

    def failed(self, failure: Failure) -> None:
        assert not self.over.is_set()
        self.failure = failure
        self.over.set()


class Upstream:
    """A listening upstream and a pool that leads to it."""

    def __init__(self, port: int, limits: Limits, timeouts: Timeouts) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.limits, self.timeouts = limits, timeouts
        self.origin = Origin("http", "127.0.0.1", port)
        self.full: list[str] = []  # the bounds that were met
        self.pool = Pool(self.origin, self.deadlines, limits, timeouts, on_full=self.full.append)
        self.connections = 0

    async def ask(self, body: bytes = b"", sink: Sink | None = None, fresh: bool = False) -> Sink:
        """One exchange, to its end."""
        sink = sink or Sink()
        connection = None if fresh else self.pool.take_idle()
        if connection is None:
            made = await self.pool.connect()
            assert not isinstance(made, Failure), made
            connection = made
        now = self.clock.now
        connection.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body), body, sink, now + 5, now + 9)
        await sink.over.wait()
        await asyncio.sleep(0)
        return sink


@asynccontextmanager
async def upstream(
    serve: Serve, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> AsyncIterator[Upstream]:
    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.connections += 1
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    accepted: list[asyncio.BaseTransport] = []

    class Kept(asyncio.StreamReaderProtocol):
        """`counted` may not have begun when a test ends, so it cannot be what closes the connection."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)
            super().connection_made(transport)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Kept(asyncio.StreamReader(), counted), "127.0.0.1", 0)
    here = Upstream(server.sockets[0].getsockname()[1], limits or Limits(), timeouts or Timeouts())
    try:
        yield here
    finally:
        here.pool.close()
        server.close()
        for transport in accepted:
            transport.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(size)


def says(*answers: bytes, stays: bool = True) -> Serve:
    """Answers request after request of a connection with these bytes, the last one again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(1_000):
            await read_request(reader)
            writer.write(answers[min(number, len(answers) - 1)])
            await writer.drain()
            if not stays:
                return

    return serve
