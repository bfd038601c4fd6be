"""The connection of one client: time-outs, limits and strictness, then hot routes to the gateway, the rest to ASGI.

Extends uvicorn's httptools protocol (pinned; docs/adr/0001). The head of a request is gathered here and checked before
the parser sees it; a body of known length is cut exactly, so that bytes of a next request wait until this one is done.
"""

import asyncio
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tollway.clock import monotonic
from tollway.deadlines import NEVER
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Inbound
from tollway.http.edge import Edge
from tollway.http.head import check_sizes, check_version, is_host, is_plain_path, without_upgrade
from tollway.http.responder import Responder
from tollway.http.routes import DROP_IN_PREFIXES, HOT_ROUTES
from tollway.ids import new_request_id

_BACKLOG_BYTES_MAX: Final = 65_536
_WRITE_BUFFER_BYTES: Final = 65_536
_LINGER_S: Final = 1.0
_SINGLE_HEADERS: Final = frozenset({b"host", b"authorization", b"content-type", b"content-length"})

_HEAD, _BODY, _BUSY, _LINGER = range(4)  # what the connection is doing


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(
        self,
        edge: Edge,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.deadline = NEVER
        self.url = b""
        self._edge = edge
        self._doing = _HEAD
        self._head = bytearray()
        self._backlog = bytearray()
        self._hot: tuple[str, bool] | None = None
        self._responder: Responder | None = None
        self._fields: dict[bytes, bytes] = {}
        self._doubled = False
        self._refusal: Code | None = None
        self._in_headers = False
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._left = 0  # bytes of a body of known length still to come; -1 for a chunked one
        self._message_done = False
        self._body_since = 0.0
        self._stalled_bytes = 0
        self._peer = ""

    # life of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._peer = self.client[0] if self.client else ""
        self.deadline = monotonic() + self._edge.timeouts.first_byte_s
        self._edge.deadlines.watch(self)
        if not self._edge.admit(self._peer):
            self._refuse(Problem(Code.TOO_MANY_REQUESTS, "connections", retry_after_s=1))

    def connection_lost(self, exc: Exception | None) -> None:
        self._edge.leave(self._peer)
        self._edge.deadlines.forget(self)
        self._doing = _LINGER
        responder, self._responder = self._responder, None
        super().connection_lost(exc)
        if responder:
            responder.lost()

    def shutdown(self) -> None:
        """The server drains: close when idle, else after the answer."""
        if self._responder is not None:
            return  # it asks `edge.draining` itself
        if self._doing == _HEAD or self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def expire(self, now: float) -> None:
        if self._doing == _BODY:
            self._expire_body(now)
        elif self._doing == _HEAD and self._head:
            self._refuse(Problem(Code.REQUEST_TIMEOUT, "headers"))
        elif self._doing == _BUSY:
            self._expire_stall(now)
        else:
            self.transport.abort()

    # bytes in

    def data_received(self, data: bytes) -> None:
        if self._doing == _HEAD:
            self._take_head(data)
        elif self._doing == _BODY:
            self._take_body(data)
        elif self._doing == _BUSY:
            self._backlog += data
            if len(self._backlog) > _BACKLOG_BYTES_MAX:
                self.transport.pause_reading()

    def _take_head(self, data: bytes) -> None:
        head = self._head
        if not head:
            data = data.lstrip(b"\r\n") if data[:1] in b"\r\n" else data
            if not data:
                return
        searched = max(0, len(head) - 3)
        end = data.find(b"\r\n\r\n") if not head else -1
        if end >= 0:  # the ordinary case: the whole head in one piece
            self._read_head(data[: end + 4])
            self._go_on(data[end + 4 :])
            return
        if not head:
            self.deadline = monotonic() + self._edge.timeouts.headers_s
        head += data
        end = head.find(b"\r\n\r\n", searched)
        if end < 0:
            if code := check_sizes(head, self._edge.limits):
                self._refuse(Problem(code))
            return
        first, rest = bytes(head[: end + 4]), bytes(head[end + 4 :])
        head.clear()
        self._read_head(first)
        self._go_on(rest)

    def _read_head(self, head: bytes) -> None:
        if code := check_sizes(head, self._edge.limits):
            self._refuse(Problem(code))
            return
        self._refusal = None
        self._message_done = False
        self._in_headers = True
        self._feed(without_upgrade(head))
        self._in_headers = False

    def _go_on(self, rest: bytes) -> None:
        """After a head: the body, or nothing more to wait for."""
        if self._doing == _LINGER:
            return
        if self._message_done:
            self._begin_busy(rest)
            return
        self._doing = _BODY
        self._body_since = monotonic()
        self.deadline = self._body_since + self._edge.timeouts.body_grace_s
        if rest:
            self._take_body(rest)

    def _take_body(self, data: bytes) -> None:
        if self._left > 0:
            rest = data[self._left :] if len(data) > self._left else b""
            part = data[: self._left] if rest else data
            self._left -= len(part)
        else:
            part, rest = data, b""
        self._feed(part)
        if self._doing == _BODY and self._message_done:
            self._begin_busy(rest)

    def _begin_busy(self, rest: bytes) -> None:
        self._doing = _BUSY
        self.deadline = NEVER
        self._backlog += rest
        if self._hot:
            self._serve_hot()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(Problem(Code.MALFORMED_HTTP))

    # what the parser found

    def on_message_begin(self) -> None:
        if self._message_done:  # a second request behind a chunked body: answer the first, then close
            self._refusal = Code.MALFORMED_HTTP
            self._backlog.clear()
            return
        self.url = b""
        self._fields = {}
        self._header_list: list[tuple[bytes, bytes]] = []
        self._doubled = False
        self._body = []
        self._body_bytes = 0
        self._left = 0

    def on_url(self, url: bytes) -> None:
        if not self._message_done:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers or self._message_done:
            return  # a trailer is never a header
        name = name.lower()
        if b"_" in name:
            return
        if name in self._fields and name in _SINGLE_HEADERS:
            self._doubled = True
        if len(value) > self._edge.limits.header_value_bytes:
            self._refusal = Code.HEADERS_TOO_LARGE
        self._fields[name] = value
        self._header_list.append((name, value))

    def on_headers_complete(self) -> None:
        if self._message_done:
            return
        version = self.parser.get_http_version()
        path, _, query = self.url.partition(b"?")
        problem = self._check_headers(version, path)
        if problem:
            self._refuse(problem)
            return
        length = self._fields.get(b"content-length")
        self._left = int(length) if length else -1
        self._hot = HOT_ROUTES.get(path) if self.parser.get_method() == b"POST" else None
        most = self._edge.limits.completion_body_bytes if self._hot else self._edge.limits.api_body_bytes
        if self._left > most:
            self._refuse(Problem(Code.BODY_TOO_LARGE))
            return
        if self._hot:
            self._query = b"?" + query if query else b""
            self._speaks_1_1 = version == "1.1"
            self._keep_alive = self._speaks_1_1 and self.parser.should_keep_alive()
            if self._fields.get(b"expect", b"").lower() == b"100-continue":
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            self._begin_asgi()

    def _check_headers(self, version: str, path: bytes) -> Problem | None:
        if self._refusal:
            return Problem(self._refusal)
        code = check_version(version, self._fields.get(b"transfer-encoding"))
        if code or self._doubled or not is_host(self._fields.get(b"host", b"")):
            return Problem(Code.MALFORMED_HTTP)
        if self._fields.get(b"content-encoding", b"identity").lower() != b"identity":
            return Problem(Code.UNSUPPORTED_MEDIA_TYPE)
        if not path.startswith(b"/"):
            return Problem(Code.MALFORMED_HTTP)
        if not is_plain_path(path):
            return Problem(Code.INVALID_PATH if path.startswith(DROP_IN_PREFIXES) else Code.MALFORMED_HTTP)
        return None

    def on_body(self, body: bytes) -> None:
        if self._doing == _LINGER or self._message_done:
            return
        self._body_bytes += len(body)
        most = self._edge.limits.completion_body_bytes if self._hot else self._edge.limits.api_body_bytes
        if self._body_bytes > most:
            self._refuse(Problem(Code.BODY_TOO_LARGE))
        elif self._hot:
            self._body.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._message_done or self._doing == _LINGER:
            return
        self._message_done = True
        if not self._hot:
            super().on_message_complete()

    # hot routes

    def _serve_hot(self) -> None:
        assert self._hot
        path, drop_in = self._hot
        edge = self._edge
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        keep_alive = self._keep_alive and not edge.draining and self._refusal is None
        responder = Responder(self.transport, keep_alive, self._speaks_1_1, drop_in, edge.date_header, self._hot_done)
        self._responder = responder
        edge.serve(Inbound(path, self._query, self._fields, body, self._peer, drop_in), responder)

    def _hot_done(self, keep_alive: bool) -> None:
        self._responder = None
        if keep_alive and not self._edge.draining:
            self._next_request()
        else:
            self.transport.close()
            self._doing = _LINGER
            self.deadline = monotonic() + self._edge.timeouts.client_stall_s

    # everything else

    def _begin_asgi(self) -> None:
        url, headers = self.url, self._header_list
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)
        self.expect_100_continue = self._fields.get(b"expect", b"").lower() == b"100-continue"
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # our deadlines watch idle connections
        if not self.transport.is_closing():
            if self._message_done:
                self._next_request()
            else:
                self._linger()  # answered before the body had come

    def _next_request(self) -> None:
        self._doing = _HEAD
        self._message_done = False
        self.deadline = monotonic() + self._edge.timeouts.keep_alive_s
        backlog = self._backlog
        if backlog:
            data = bytes(backlog)
            backlog.clear()
            self.transport.resume_reading()
            # Not from here: the parser may be in the middle of the callback that ended the request.
            self.loop.call_soon(self._take_backlog, data)

    def _take_backlog(self, data: bytes) -> None:
        if self._backlog:
            data += bytes(self._backlog)
            self._backlog.clear()
        if not self.transport.is_closing():
            self.data_received(data)

    # refusals and time-outs of the connection itself

    def _refuse(self, problem: Problem) -> None:
        """Say why, then close; input is read and dropped for a moment, so that the answer is not lost in a reset."""
        if self._doing == _LINGER or self.transport.is_closing():
            return
        historic = self.url.startswith(DROP_IN_PREFIXES)
        edge = self._edge
        edge.count_refusal(problem)
        if self.cycle is not None and not self._hot and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        responder = Responder(self.transport, False, True, historic, edge.date_header, lambda _: self._linger())
        responder.refuse(problem, new_request_id())

    def _linger(self) -> None:
        self._doing = _LINGER
        self.deadline = monotonic() + _LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _expire_body(self, now: float) -> None:
        timeouts = self._edge.timeouts
        waited = now - self._body_since
        if waited >= timeouts.body_s or self._body_bytes < timeouts.body_bytes_per_s * (waited - timeouts.body_grace_s):
            self._refuse(Problem(Code.REQUEST_TIMEOUT, "body"))
        else:
            self.deadline = min(now + 1, self._body_since + timeouts.body_s)

    # back-pressure towards the client

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_bytes = self.transport.get_write_buffer_size()
        self.deadline = monotonic() + self._edge.timeouts.client_stall_s
        if self._responder and self._responder.listener:
            self._responder.listener.client_paused()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._doing == _BUSY:
            self.deadline = NEVER
        if self._responder and self._responder.listener:
            self._responder.listener.client_resumed()

    def _expire_stall(self, now: float) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < self._stalled_bytes:  # slow, but taking
            self._stalled_bytes = waiting
            self.deadline = now + self._edge.timeouts.client_stall_s
        else:
            self.transport.abort()
