"""Bytes to the gateway and back, as they are: for requests that no client would send, and for how an answer ends."""

import json
import select
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from flow.programs import Gateway

PATIENCE_S = 30  # nothing here takes that long; a hang is a failure
CHAT = b"/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "how does the tollgate keep its books?"}]
STORY: Mapping[str, object] = {"model": "sim/story", "messages": MESSAGES}


@dataclass(frozen=True)
class Response:
    """One answer. Header names are lower-cased; `is_whole` is false when the connection ended inside the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of the general error shape, which is checked on the way."""
        error = self.json["error"]
        assert list(self.json) == ["error"]
        assert {"message", "type", "code", "request_id"} <= set(error)
        assert error["request_id"] == self.headers["x-request-id"]
        return str(error["code"])


class Raw:
    """One connection, from a loopback address of one's own choice."""

    def __init__(self, gateway: Gateway, receive_bytes: int = 0, source: str = "") -> None:
        self._socket = socket.socket()
        self._socket.bind((source, 0))
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.settimeout(PATIENCE_S)
        try:
            self._socket.connect((gateway.host, gateway.port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen = b""
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, *pieces: bytes) -> Self:
        """What the other end no longer takes is dropped."""
        try:
            for piece in pieces:
                self._socket.sendall(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass
        return self

    def drip(self, data: bytes, every_s: float, size: int = 1) -> None:
        """Send slowly, until something comes back."""
        for at in range(0, len(data), size):
            if select.select([self._socket], [], [], every_s)[0]:
                return
            self.send(data[at : at + size])
        raise AssertionError("nobody minds")

    def sip(self, size: int, every_s: float, times: int) -> None:
        """Read slowly."""
        nothing = socket.socketpair()
        for _ in range(times):
            self._more(size)
            select.select([nothing[0]], [], [], every_s)
        for end in nothing:
            end.close()

    def read_until(self, mark: bytes) -> bytes:
        """What has come up to and with `mark`."""
        while mark not in self._seen:
            assert self._more(), f"ended before {mark!r}: {self._seen[-300:]!r}"
        found, _, self._seen = self._seen.partition(mark)
        return found + mark

    def read(self, has_body: bool = True) -> Response:
        """The next answer. `has_body`: not one to HEAD."""
        lines = self.read_until(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        assert version == "HTTP/1.1"
        headers = {}
        for name, _, value in (line.partition(": ") for line in lines[1:]):
            assert name.lower() not in headers, name
            headers[name.lower()] = value
        if not has_body or int(status) in (100, 304):
            return Response(int(status), headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(int(status), headers, *self._chunks())
        if "content-length" not in headers:
            assert headers["connection"] == "close"
            return Response(int(status), headers, self.rest())
        return Response(int(status), headers, *self._take(int(headers["content-length"])))

    def rest(self) -> bytes:
        """All that comes up to the end of the connection."""
        while self._more():
            pass
        rest, self._seen = self._seen, b""
        return rest

    def _chunks(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        while True:
            while b"\r\n" not in self._seen:
                if not self._more():
                    return b"".join(parts), False
            line, _, self._seen = self._seen.partition(b"\r\n")
            size = int(line, 16)
            data, is_whole = self._take(size + 2)
            parts.append(data[:size])
            if size == 0 or not is_whole:
                return b"".join(parts), is_whole

    def _take(self, size: int) -> tuple[bytes, bool]:
        while len(self._seen) < size:
            if not self._more():
                break
        data, self._seen = self._seen[:size], self._seen[size:]
        return data, len(data) == size

    def _more(self, size: int = 262_144) -> bool:
        try:
            piece = self._socket.recv(size)
        except ConnectionResetError:
            piece = b""
        self._seen += piece
        self.ended = not piece
        return bool(piece)


def request(
    body: bytes | Mapping[str, object] = b"{}",
    path: bytes = CHAT,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    method: bytes = b"POST",
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A proper request with a body of known length."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in dict(headers).items()).encode()
    length = b"Content-Length: %d\r\n" % len(data) if data or method == b"POST" else b""
    return b"%b %b %b\r\nHost: gateway\r\n%b%b\r\n%b" % (method, path, version, lines, length, data)


def get(path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> bytes:
    return request(b"", path.encode(), headers or {}, method.encode())


def ask(gateway: Gateway, raw: bytes, has_body: bool = True, source: str = "") -> Response:
    """One request on a connection of its own."""
    with Raw(gateway, source=source) as connection:
        return connection.send(raw).read(has_body)
