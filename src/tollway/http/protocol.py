"""The connection of one client: time-outs and back-pressure; hot routes to the gateway, the rest to ASGI.

A protocol class for uvicorn's server (pinned; docs/adr/0001). Requests are served one after another: bytes that come
while one is being answered wait, within a bound, until that answer is complete.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from tollway.deadlines import NEVER
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.http.asgi import AsgiSide
from tollway.http.client_address import Peer
from tollway.http.dialect_responder import DialectResponder
from tollway.http.edge import Edge
from tollway.http.reader import BODY, DONE, HEAD, IDLE, RequestReader
from tollway.http.responder import Responder
from tollway.http.routes import CLIENT_DIALECTS
from tollway.http.stall import Stall, unsent_bytes
from tollway.ids import new_request_id

_BACKLOG_BYTES_MAX: Final = 65_536
_WRITE_BUFFER_BYTES: Final = 65_536
_LINGER_S: Final = 1.0
_LAST_REQUEST_S: Final = 1.0  # an idle connection of a draining server may still bring a request that was on its way
_STALL_LOOKS: Final = 8  # so often per client_stall_s a client that is behind is looked at

_READING, _ANSWERING, _CLOSING, _LINGERING = range(4)  # what the connection is doing


class GatewayProtocol(asyncio.Protocol):
    """One client connection."""

    def __init__(
        self,
        edge: Edge,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002  (uvicorn passes it by name; we have no lifespan)
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.deadline = NEVER
        self.transport = cast("asyncio.Transport", None)  # set by connection_made, before anything else is called
        self._edge = edge
        self._now = edge.deadlines.now
        self._config = config
        self._state = server_state
        self._reader = RequestReader(edge.limits)
        self._doing = _READING
        self._backlog = bytearray()
        self._responder: Responder | None = None
        self._asgi: AsgiSide | None = None
        self._peer = cast("Peer", None)  # likewise
        self._since = 0.0  # of the body
        self._idle_until = NEVER
        self._is_behind = False  # the client: writing is paused
        self._stall = Stall()
        self._look_s = edge.timeouts.client_stall_s / _STALL_LOOKS

    # life of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._state.connections.add(cast("Any", self))
        address = get_remote_addr(self.transport)
        self._peer = self._edge.peer_of(address[0] if address else "")
        self.deadline = self._idle_until = self._now() + self._edge.timeouts.first_byte_s
        self._edge.deadlines.watch(self)
        refusal = self._edge.admit(self._peer)
        if refusal and refusal.code is Code.OVERLOADED:
            self._edge.count_refusal(refusal)
            self.transport.abort()
        elif refusal:
            self._refuse(refusal)

    def connection_lost(self, _: Exception | None) -> None:
        self._state.connections.discard(cast("Any", self))
        self._edge.leave(self._peer)
        self._edge.deadlines.forget(self)
        self._doing = _CLOSING
        self._backlog.clear()
        responder, self._responder = self._responder, None
        if self._asgi:
            self._asgi.lost()
        if responder:
            responder.lost()

    def shutdown(self) -> None:
        """The server drains: what is being read or answered is the last; an idle connection has a moment left."""
        if self._responder:
            self._responder.close_after()
            self._edge.send_away(self._responder)
        if self._asgi:
            self._asgi.close_after()
        self._idle_until = min(self._idle_until, self._now() + _LAST_REQUEST_S)
        if self._doing == _READING and self._reader.stage not in (HEAD, BODY):
            self.deadline = min(self.deadline, self._idle_until)

    # bytes in

    def data_received(self, data: bytes) -> None:
        if self._doing == _READING:
            if self._reader.take_whole(data):  # the ordinary case
                self._serve(b"")
            else:
                self._read(data)
        elif self._doing == _ANSWERING:
            self._keep_for_later(data)

    def _read(self, data: bytes) -> None:
        reader = self._reader
        before = reader.stage
        rest = reader.feed(data)
        if reader.problem:
            self._refuse(reader.problem)
        elif reader.stage == DONE:
            self._serve(rest)
        elif reader.stage != before:
            self._wait_for_more()

    def _wait_for_more(self) -> None:
        """A head, or the body behind one, has begun."""
        now = self._now()
        timeouts = self._edge.timeouts
        if self._reader.stage == HEAD:
            self.deadline = now + timeouts.headers_s
            return
        self._since = now
        self.deadline = now + min(timeouts.body_grace_s, timeouts.body_s)
        if self._reader.wants_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _keep_for_later(self, data: bytes) -> None:
        self._backlog += data
        if len(self._backlog) > _BACKLOG_BYTES_MAX:
            self.transport.pause_reading()

    # one request

    def _serve(self, rest: bytes) -> None:
        self._doing = _ANSWERING
        self.deadline = self._now() + self._edge.timeouts.client_stall_s
        if rest:
            self._keep_for_later(rest)
        reader, edge = self._reader, self._edge
        keep_alive = reader.keep_alive and not reader.is_last and not edge.draining
        if not reader.route:
            self._asgi = self._asgi or self._asgi_side()
            self._asgi.begin(reader, keep_alive)
            return
        path, drop_in = reader.route
        parts = self.transport, keep_alive, reader.speaks_1_1, drop_in, edge.date_header, self._answered
        query, peer, body = reader.query, self._peer, reader.take_body()
        new_dialect = CLIENT_DIALECTS.get(path)
        if new_dialect is None:
            dialect, responder = None, Responder(*parts)
        else:
            dialect, query = new_dialect(), b""  # it speaks of this dialect, which no upstream is asked in
            responder = DialectResponder(dialect, *parts)
        self._responder = responder
        responder.paused = self._is_behind
        fields, notes = reader.fields, reader.notes
        edge.serve(Inbound(path, query, fields, body, peer.address, drop_in, peer.is_proxy, notes, dialect), responder)

    def _asgi_side(self) -> AsgiSide:
        side = AsgiSide(self._config, self._state, self.transport, self._answered)
        if self._is_behind:
            side.pause_writing()
        return side

    def _answered(self, keep_alive: bool = True) -> None:
        """The answer is complete; go on with what has come meanwhile, or wait for another request."""
        self._responder = None
        self._state.total_requests += 1
        reader = self._reader
        if not keep_alive or reader.is_last or self._edge.draining or self.transport.is_closing():
            self._close()
        elif not self._backlog:
            self._wait_for_request()
        elif reader.is_chunked:
            self._close()  # nobody sends a request right behind a chunked one in good faith
        else:
            asyncio.get_running_loop().call_soon(self._take_backlog)  # until then new bytes go behind those

    def _take_backlog(self) -> None:
        if self._doing != _ANSWERING or self.transport.is_closing():
            return
        data = bytes(self._backlog)
        self._backlog.clear()
        self._wait_for_request()
        self._read(data)
        if len(self._backlog) <= _BACKLOG_BYTES_MAX and not self.transport.is_closing():
            self.transport.resume_reading()

    def _wait_for_request(self) -> None:
        self._doing = _READING
        self._reader.stage = IDLE
        now = self._now()
        idle_s = _LAST_REQUEST_S if self._edge.draining else self._edge.timeouts.keep_alive_s
        self._idle_until = now + idle_s
        self.deadline = now + min(idle_s, self._look_s)  # the answer may not be sent yet

    def _close(self) -> None:
        """Once all is sent."""
        self._doing = _CLOSING
        self.deadline = self._now() + self._look_s
        self.transport.close()

    # refusals of the connection itself

    def _refuse(self, problem: Problem) -> None:
        """Say why, then close; input is read and dropped for a moment, so that the answer is not lost in a reset."""
        if self._doing == _LINGERING or self.transport.is_closing():
            return
        edge = self._edge
        edge.count_refusal(problem)
        reader = self._reader
        parts = self.transport, False, True, reader.is_historic, edge.date_header, lambda _: self._linger()
        new_dialect = CLIENT_DIALECTS.get(reader.route[0]) if reader.route else None
        responder = DialectResponder(new_dialect(), *parts) if new_dialect else Responder(*parts)
        responder.refuse(problem, new_request_id())

    def _linger(self) -> None:
        self._doing = _LINGERING
        self.deadline = self._now() + _LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # time-outs

    def expire(self, now: float) -> None:
        if self._doing == _LINGERING:
            self.transport.abort()
        elif self._doing == _READING and self._reader.stage == BODY:
            self._expire_body(now)
        elif self._doing == _READING and self._reader.stage == HEAD:
            self._refuse(Problem(Code.REQUEST_TIMEOUT, "headers"))
        elif self.transport.get_write_buffer_size():
            self._expire_stall(now)
        elif self._doing == _ANSWERING:
            self._stall.forget()
            self.deadline = now + self._edge.timeouts.client_stall_s
        elif self._doing == _READING and now < self._idle_until:
            self.deadline = self._idle_until
        else:
            self.transport.abort()

    def _expire_body(self, now: float) -> None:
        timeouts = self._edge.timeouts
        waited = now - self._since
        owed = timeouts.body_bytes_per_s * (waited - timeouts.body_grace_s)
        if waited >= timeouts.body_s or self._reader.body_bytes < owed:
            self._refuse(Problem(Code.REQUEST_TIMEOUT, "body"))
        else:
            self.deadline = min(now + 1, self._since + timeouts.body_s)

    def _expire_stall(self, now: float) -> None:
        """Bytes wait for the client: it has client_stall_s to take some."""
        left_s = self._edge.timeouts.client_stall_s - self._stall.look(now, unsent_bytes(self.transport))
        if left_s <= 0:
            self.transport.abort()
            return
        self.deadline = now + min(left_s, self._look_s)
        if self._doing == _READING:
            self._idle_until = max(self._idle_until, now + self._edge.timeouts.keep_alive_s)

    # back-pressure towards the client

    def pause_writing(self) -> None:
        self._is_behind = True
        now = self._now()
        self._stall.begin(now)
        if self._doing == _ANSWERING:
            self.deadline = now + self._look_s
        if self._responder:
            self._responder.pause()
        if self._asgi:
            self._asgi.pause_writing()

    def resume_writing(self) -> None:
        self._is_behind = False
        self._stall.forget()
        if self._responder:
            self._responder.resume()
        if self._asgi:
            self._asgi.resume_writing()
