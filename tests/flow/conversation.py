"""A raw client of the gateway: sees how an answer was framed and ended, and can leave whenever it likes."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from flow.accounts import Account
from flow.programs import Gateway

PATIENCE_S = 30  # nothing here takes that long; a hang is a failure
PROMPT = "how does the tollgate keep its books?"


@dataclass(frozen=True)
class Answer:
    """What a client has received. `whole`: its framing ended as it said it would."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def data(self) -> list[bytes]:
        """The data of the events of a stream, whatever ends its lines."""
        text = self.body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return [line[6:] for line in text.split(b"\n") if line.startswith(b"data: ")]

    @property
    def is_done(self) -> bool:
        return b"[DONE]" in self.data

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The `error` objects of a stream's events."""
        found = []
        for data in self.data:
            try:
                event = json.loads(data)
            except ValueError:
                continue
            if isinstance(event, dict) and event.get("error"):
                found.append(event["error"])
        return found

    @property
    def text(self) -> str:
        """What the first choice said in a stream."""
        said = []
        for data in self.data:
            try:
                event = json.loads(data)
            except ValueError:
                continue
            if isinstance(event, dict):
                said += [choice["delta"].get("content") or "" for choice in event.get("choices", ())]
        return "".join(said)


class Conversation:
    """One connection; `ask` sends a request, `read_answer` reads all of what comes back."""

    def __init__(self, gateway: Gateway, receive_bytes: int = 0, segment_bytes: int = 0) -> None:
        """segment_bytes: the longest that it takes; 0: those of a machine's own network, for which the system keeps
        megabytes."""
        self._socket = socket.socket()
        if segment_bytes:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_bytes)
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.settimeout(PATIENCE_S)
        try:
            self._socket.connect((gateway.host, gateway.port))
        except OSError:
            self._socket.close()
            raise
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        self._socket.close()

    def ask(self, account: Account, body: Mapping[str, object] | bytes, path: str = "/v1/chat/completions") -> bytes:
        """Send a request; its body as sent."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in account.headers.items())
        self._socket.sendall(f"{head}{lines}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return data

    def read_until(self, mark: bytes, times: int = 1) -> bytes:
        """All bytes so far, once `mark` is among them so often."""
        while self._seen.count(mark) < times:
            piece = self._socket.recv(65_536)
            assert piece, f"the answer ended before {mark!r}: {self._seen[-300:]!r}"
            self._seen += piece
        return self._seen

    def read_some(self, size: int) -> bytes:
        """Up to `size` bytes more, unparsed."""
        piece = self._socket.recv(size)
        self._seen += piece
        return piece

    def read_answer(self) -> Answer:
        """The answer to the last request, up to its end or to the end of the connection."""
        head, _, rest = self.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        self._seen = rest
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        status = int(lines[0].split(" ")[1])
        if "content-length" in headers:
            body, whole = self._take(int(headers["content-length"]))
        else:
            assert headers["transfer-encoding"] == "chunked"
            body, whole = self._take_chunks()
        return Answer(status, headers, body, whole)

    def _take_chunks(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        while True:
            while b"\r\n" not in self._seen:
                if not self._more():
                    return b"".join(parts), False
            line, _, self._seen = self._seen.partition(b"\r\n")
            size = int(line, 16)
            data, whole = self._take(size + 2)
            parts.append(data[:size])
            if not whole:
                return b"".join(parts), False
            assert data[size:] == b"\r\n"
            if size == 0:
                return b"".join(parts), True

    def _take(self, size: int) -> tuple[bytes, bool]:
        while len(self._seen) < size:
            if not self._more():
                return self._seen, False
        data, self._seen = self._seen[:size], self._seen[size:]
        return data, True

    def _more(self) -> bool:
        try:
            piece = self._socket.recv(262_144)
        except ConnectionResetError:
            return False
        self._seen += piece
        return bool(piece)


def chat(
    model: str = "sim/story", stream: bool = False, sim: Mapping[str, object] | None = None, **more: object
) -> dict[str, object]:
    """The body of a request that tells the stand-in how to behave."""
    messages = [{"role": "user", "content": PROMPT}]
    return {"model": model, "messages": messages, "stream": stream, "sim": dict(sim or {}), **more}


def ask(gateway: Gateway, account: Account, body: Mapping[str, object], path: str = "/v1/chat/completions") -> Answer:
    """One request on a connection of its own."""
    with Conversation(gateway) as conversation:
        conversation.ask(account, body, path)
        return conversation.read_answer()


def wait_for_end(gateway: Gateway, account: Account) -> dict[str, Any]:
    """The log line of the account's next request; by then it is settled, whether or not its client stayed."""
    while True:
        line: dict[str, Any] = json.loads('{"event":"request"' + gateway.wait_for('{"event":"request"'))
        if line["user"] == account.user_id:
            return line
