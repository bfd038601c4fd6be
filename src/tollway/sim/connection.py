"""One client connection: bytes to requests with httptools, one answer at a time, everything bounded."""

import asyncio
import socket
from collections import deque
from functools import lru_cache
from typing import Final, cast

import httptools

from tollway.sim.chat import Chat
from tollway.sim.inbound import Inbound
from tollway.sim.player import Player, reset
from tollway.sim.refusal import Refusal
from tollway.sim.service import Service, refuse

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
HEAD_BYTES_MAX: Final = 64 * 1024
PIPELINED_MAX: Final = 64
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Serves requests in order; a request that arrives while one is answered waits for it."""

    def __init__(
        self, service: Service, loop: asyncio.AbstractEventLoop, peers: set["Connection"], number: int
    ) -> None:
        self._service, self._loop, self._peers, self._number = service, loop, peers, number
        self.lost = asyncio.Event()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Inbound] = deque()
        self._player: Player | None = None
        self._transport: asyncio.Transport
        self._stopping = self._keep_alive = False
        self._in_head, self._head_bytes = True, 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._peers.discard(self)
        self.lost.set()
        self._waiting.clear()
        if self._player is not None:
            self._player.stop("stopped" if self._stopping else "client_gone")
            self._player = None

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(Refusal(400, "no upgrade here"))
        except httptools.HttpParserError as error:
            self._refuse(Refusal(400, f"not a request: {error}"))
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(Refusal(431, f"the head is larger than {HEAD_BYTES_MAX} bytes"))

    def pause_writing(self) -> None:
        if self._player is not None:
            self._player.pause()

    def resume_writing(self) -> None:
        if self._player is not None:
            self._player.resume()

    def abort(self) -> None:
        """Drop the connection because the server stops."""
        self._stopping = True
        self._transport.abort()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._in_head, self._url, self._body, self._expects = True, b"", bytearray(), False
        self._headers: list[tuple[str, str]] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append(_decode_header(name, value))
        if len(name) == 6 and name.lower() == b"expect":
            self._expects = True

    def on_headers_complete(self) -> None:
        raw_bytes, self._head_bytes, self._in_head = self._head_bytes, 0, False
        if raw_bytes > HEAD_BYTES_MAX and self._measure_head() > HEAD_BYTES_MAX:
            self._refuse(Refusal(431, f"the head is larger than {HEAD_BYTES_MAX} bytes"))
        elif self._expects and self._player is None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if len(self._body) + len(body) > BODY_BYTES_MAX:
            self._refuse(Refusal(413, f"the body is larger than {BODY_BYTES_MAX} bytes"))
        elif not self._transport.is_closing():
            self._body += body

    def on_message_complete(self) -> None:
        self._in_head = True
        path, _, query = self._url.decode("latin-1").partition("?")
        inbound = Inbound(
            method=self._parser.get_method().decode(),
            path=path,
            query=query,
            headers=self._headers,
            body=bytes(self._body),
            connection=self._number,
            keep_alive=self._parser.should_keep_alive(),
        )
        if len(self._waiting) >= PIPELINED_MAX:
            self._transport.abort()
        elif self._player is not None or self._waiting:
            self._waiting.append(inbound)
        elif not self._transport.is_closing():
            self._serve(inbound)

    # Answers.

    def _measure_head(self) -> int:
        """Bytes of the head alone; what arrived so far may hold a part of the body."""
        return len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)

    def _serve(self, inbound: Inbound) -> None:
        reply = self._service.serve(inbound)
        self._keep_alive = inbound.keep_alive
        if isinstance(reply, Chat):
            self._play(reply)
        elif isinstance(reply, bytes):
            self._transport.write(reply)
            self._finish()
        else:
            reset(self._transport)

    def _play(self, chat: Chat) -> None:
        options = self._service.options
        if (
            chat.control.fault or chat.control.split or chat.control.cut_at
        ):  # Each write must reach the socket before the next step.
            self._transport.set_write_buffer_limits(high=0)
        self._player = Player(
            self._transport,
            self._loop,
            chat.steps,
            chat.turn,
            self._service.recorder,
            options.now,
            self._finish,
            sync=options.record_sync and options.record_path is not None,
        )
        self._player.play()

    def _finish(self) -> None:
        if self._player is not None:
            self._player = None
            self._transport.set_write_buffer_limits()
        if not self._keep_alive:
            self._transport.close()
        elif self._waiting:
            self._serve(self._waiting.popleft())

    def _refuse(self, refusal: Refusal) -> None:
        """Say no to bytes that are no request, unless an answer is under way, and hang up."""
        if self._player is None and not self._transport.is_closing():
            self._transport.write(refuse(refusal, keep_alive=False))
        self._transport.close()


@lru_cache(maxsize=4096)
def _decode_header(name: bytes, value: bytes) -> tuple[str, str]:
    """Clients repeat themselves, and the record keeps every header: equal ones share their memory."""
    return name.decode("latin-1"), value.decode("latin-1")
