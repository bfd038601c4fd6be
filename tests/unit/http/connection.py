"""A GatewayProtocol on a transport that only remembers, with a clock that stands still."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from uvicorn import Config
from uvicorn.server import ServerState

from tollway.deadlines import Deadlines
from tollway.gateway.exchange import Inbound
from tollway.gateway.services import Client
from tollway.http.client_address import ClientAddresses
from tollway.http.edge import Edge
from tollway.http.protocol import GatewayProtocol
from tollway.observability.metrics import Metrics
from tollway.settings import Limits, Timeouts

HOT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /seen HTTP/1.1\r\nHost: a\r\n\r\n"


def hot(body: bytes = b"{}", more: bytes = b"") -> bytes:
    return HOT + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Transport(asyncio.Transport):
    """`written` is what the client would read; `unsent` is set by the test."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 50_000), "sockname": ("192.0.2.1", 80)})
        self.written = b""
        self.unsent = 0
        self.closed = self.aborted = self.ended = self.paused = False

    def write(self, data: Any) -> None:
        assert not self.ended, "written after the end"
        if not self.is_closing():
            self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


@dataclass
class Listener:
    """What a relay would hear."""

    heard: list[str] = field(default_factory=list)

    def client_gone(self) -> None:
        self.heard.append("gone")

    def client_paused(self) -> None:
        self.heard.append("paused")

    def client_resumed(self) -> None:
        self.heard.append("resumed")


class Connection:
    """Use inside a running loop. Hot requests are answered at once, unless `holds` is set: then by `answer`."""

    def __init__(
        self,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        holds: bool = False,
        addresses: ClientAddresses | None = None,
    ) -> None:
        self.now = 1000.0
        self.holds = holds
        self.deadlines = Deadlines(now=lambda: self.now)
        self.edge = Edge(
            limits or Limits(),
            timeouts or Timeouts(),
            self.deadlines,
            Metrics(),
            self._handle,
            (addresses or ClientAddresses((), "", 64)).peer,
            asyncio.get_running_loop(),
        )
        self.state = ServerState()
        self.config = Config(app=self._app, interface="asgi3", proxy_headers=False, log_config=None, ws="none")
        self.config.load()
        self.asked: list[Inbound] = []
        self.clients: list[Client] = []
        self.seen: list[dict[str, Any]] = []
        self.transport = Transport()
        self.protocol = self.open(self.transport)

    def open(self, transport: Transport) -> GatewayProtocol:
        protocol = GatewayProtocol(self.edge, self.config, self.state, {})
        protocol.connection_made(transport)
        return protocol

    async def _handle(self, inbound: Inbound, client: Client) -> None:
        self.asked.append(inbound)
        self.clients.append(client)
        if self.holds:
            await asyncio.Event().wait()  # until the loop ends
        client.answer(200, b"", b"hot %d" % len(self.asked))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.seen.append({**scope, "body": message["body"], "more_body": message["more_body"]})
        body = b"asgi %d" % len(self.seen)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def send(self, *pieces: bytes) -> Self:
        """Bytes from the client, then everything that follows from them."""
        for piece in pieces:
            if not self.transport.is_closing():
                self.protocol.data_received(piece)
            await self.settle()
        return self

    async def settle(self) -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    def wait(self, seconds: float) -> None:
        """Let time pass and the sweep look."""
        self.now += seconds
        self.deadlines.sweep()

    @property
    def statuses(self) -> list[int]:
        """The status of every answer so far, interim ones included."""
        return [int(part[:3]) for part in self.transport.written.split(b"HTTP/1.1 ")[1:]]

    @property
    def is_refused(self) -> bool:
        """The last word was said, and only the client's end is waited for."""
        return self.transport.ended and b"connection: close" in self.transport.written
