"""An upstream that says what a test tells it to, byte for byte and at the test's own pace."""

import socket
import struct
from collections.abc import Iterable
from queue import Empty, Queue
from threading import Event, Thread
from typing import Final

PATIENCE_S: Final = 20
RESET: Final = None  # as a piece: the connection is reset there

Piece = bytes | Event | None  # an event: wait until the test sets it


class ScriptedUpstream:
    """Each request takes the next answer that was told by `say`; its connection ends with it.

    `asked`: requests so far. `said_bytes`: what the connections have taken so far.
    """

    def __init__(self, send_buffer_bytes: int = 0) -> None:
        """send_buffer_bytes: what the system keeps for a slow gateway; 0: as it likes."""
        self.asked = 0
        self.said_bytes = 0
        self._answers: Queue[Iterable[Piece]] = Queue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        if send_buffer_bytes:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say(self, *pieces: Piece) -> None:
        self._answers.put(pieces)

    def say_all(self, pieces: Iterable[Piece]) -> None:
        self._answers.put(pieces)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if _read_request(connection):
                    self.asked += 1
                    self._say(connection)
            except (OSError, Empty):
                return  # the gateway has left, or asked for more than the test has told

    def _say(self, connection: socket.socket) -> None:
        for piece in self._answers.get(timeout=PATIENCE_S):
            if piece is RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if isinstance(piece, Event):
                if not piece.wait(PATIENCE_S):
                    return
                continue
            for at in range(0, len(piece), 65_536):
                connection.sendall(piece[at : at + 65_536])
                self.said_bytes += len(piece[at : at + 65_536])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _read_request(connection: socket.socket) -> bool:
    """Whether a whole request with a body came."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        piece = connection.recv(65_536)
        if not piece:
            return False
        seen += piece
    head, _, body = seen.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
    if length is None:
        return False  # a question about an answer, whose record nobody here keeps
    while len(body) < length:
        piece = connection.recv(65_536)
        if not piece:
            return False
        body += piece
    return True


def whole(status: int, body: bytes, content_type: str = "application/json", *lines: str) -> bytes:
    """A whole answer that closes its connection. `lines`: further headers."""
    more = "".join(f"{line}\r\n" for line in lines)
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {content_type}\r\n{more}Content-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(body: bytes, size: int = 0) -> list[bytes]:
    """A chunked stream that ends as it should, in chunks of `size` bytes; 0: one."""
    size = size or len(body)
    return [STREAM_HEAD, *[chunk(body[at : at + size]) for at in range(0, len(body), size)], LAST_CHUNK]
