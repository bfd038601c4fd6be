"""The client's side of one hot request: implements `gateway.services.Client` on a transport."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from tollway.errors import Problem
from tollway.gateway.services import ClientListener
from tollway.http.problems import problem_body, problem_headers
from tollway.wire.frames import error_frame

SAFETY_HEADERS: Final = b"x-content-type-options: nosniff\r\ncache-control: no-store\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_DATE: Final = b"\r\ndate: "  # the upstream's, which goes before our own
_CLOSE: Final = b"connection: close\r\n"


class Responder:
    """Writes one answer. Whatever is written after the client went, or after the end, is dropped."""

    __slots__ = (
        "_chunked",
        "_date",
        "_historic",
        "_keep_alive",
        "_on_done",
        "_over",
        "_transport",
        "gone",
        "listener",
        "paused",
        "started",
        "status",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        keep_alive: bool,
        chunked: bool,
        historic: bool,
        date: Callable[[], bytes],
        on_done: Callable[[bool], None],
    ) -> None:
        """`chunked`: the client speaks HTTP/1.1. `on_done(keep_alive)` is called once, when the answer is complete."""
        self._transport = transport
        self._keep_alive = keep_alive
        self._chunked = chunked
        self._historic = historic
        self._date = date
        self._on_done = on_done
        self._over = False
        self.gone = False
        self.started = False
        self.status = 0
        self.listener: ClientListener | None = None
        self.paused = False

    def refuse(self, problem: Problem, request_id: str) -> None:
        headers = problem_headers(problem, request_id)
        self.answer(problem.http_status, headers, problem_body(problem, request_id, self._historic))

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        if self._over or self.started:
            return
        self.started = True
        self.status = status
        if self.gone:
            return
        self._transport.write(
            b"%b%b%b%bcontent-length: %d\r\n%b\r\n%b"
            % (
                STATUS_LINE.get(status) or _status_line(status),
                b"" if _DATE in headers else self._date(),
                headers,
                SAFETY_HEADERS,
                len(body),
                b"" if self._keep_alive else _CLOSE,
                body,
            )
        )
        self._over = True
        self._on_done(self._keep_alive)

    def start_stream(self, status: int, headers: bytes) -> None:
        if self._over or self.started:
            return
        self.started = True
        self.status = status
        if self.gone:
            return
        if not self._chunked:
            self._keep_alive = False  # an HTTP/1.0 client knows the end by the close
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        self._transport.write(
            b"%b%b%b%b%b%b\r\n"
            % (
                STATUS_LINE.get(status) or _status_line(status),
                b"" if _DATE in headers else self._date(),
                headers,
                SAFETY_HEADERS,
                framing,
                b"" if self._keep_alive else _CLOSE,
            )
        )

    def write(self, data: bytes) -> None:
        if self._over or self.gone:
            return
        if data:  # an empty chunk would be the last
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    @property
    def takes_chunks(self) -> bool:
        return self._chunked

    def write_chunk(self, data: bytes) -> None:
        if not (self._over or self.gone):
            self._transport.write(data)

    def finish_stream(self, data: bytes) -> None:
        if self._over or self.gone:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else _LAST_CHUNK
        if data:
            self._transport.write(data)
        self._over = True
        self._on_done(self._keep_alive)

    def break_off(self, problem: Problem, request_id: str) -> None:
        self.finish_stream(error_frame(problem.code.value, problem.shown or problem.entry.message, request_id))

    def abort(self) -> None:
        if not self._over and not self.gone:
            self._over = True
            self._transport.abort()

    def close_after(self) -> None:
        """This answer is the connection's last; it says so, unless its head is sent already."""
        self._keep_alive = False

    def lost(self) -> None:
        """The connection is gone."""
        self.gone = True
        if self.listener:
            self.listener.client_gone()

    def pause(self) -> None:
        """The client does not keep up."""
        self.paused = True
        if self.listener:
            self.listener.client_paused()

    def resume(self) -> None:
        self.paused = False
        if self.listener:
            self.listener.client_resumed()


def _status_line(status: int) -> bytes:
    """Of a status that has no name."""
    return b"HTTP/1.1 %d \r\n" % status


if TYPE_CHECKING:
    from tollway.gateway.services import Client

    def _responder_is_a_client(responder: Responder) -> Client:
        return responder
