"""A gateway of the tests that answers chat requests as it is told, one answer after another, and remembers them."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers.lists import Asked

STALLS = object()  # an event that never comes
BREAKS = object()  # the connection is reset instead of an event
Event = dict[str, Any] | bytes | float | object


@dataclass(frozen=True, slots=True)
class Answer:
    """`events` of a stream: objects become data lines, bytes go as they are, a number is a pause in seconds. `body`
    instead: one whole answer."""

    events: Sequence[Event] = ()
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def delta(**members: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": members, "finish_reason": None}]}


def ending(reason: str = "stop", **usage: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **({"usage": usage} if usage else {})}


DONE = b"data: [DONE]\n\n"


def says(*texts: str, **usage: Any) -> Answer:
    return Answer([*(delta(content=text) for text in texts), ending(**usage), DONE])


def calls(call_id: str, name: str, arguments: str) -> Answer:
    """The model asks for a tool; its arguments come in two pieces."""
    half = len(arguments) // 2
    start = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments[:half]}}
    rest = {"index": 0, "function": {"arguments": arguments[half:]}}
    return Answer([delta(tool_calls=[start]), delta(tool_calls=[rest]), ending("tool_calls"), DONE])


def refuses(status: int, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status=status, body=json.dumps(body).encode(), headers=named)


@dataclass(slots=True)
class ChatServer:
    """`models` are the entries of its list, `defaults` what it proposes. `answers` are given in order, the last one
    again and again; `bodies` are the chat requests. `hung_up` is set when somebody goes before an answer's end."""

    port: int = 0
    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "a/b"}])
    defaults: dict[str, Any] | None = None
    answers: list[Answer] = field(default_factory=lambda: [says("hello")])
    asked: list[Asked] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def chats(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]

    def answer(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def config(self, provider: str = "fastrouter", path: str = "/api/v1", **members: Any) -> dict[str, Any]:
        """A client's configuration in which this is where the provider is; members: others of the provider's."""
        return {"provider": {provider: {"options": {"baseURL": self.url + path}, **members}}}


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    said = ChatServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(said))
    server.daemon_threads = True
    said.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield said
    said.closing.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


def _handler(said: ChatServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(OSError):  # whoever asked went away
                super().handle()

        def do_GET(self) -> None:
            self._remember()
            is_list = self.path.endswith("/models")
            told = {"data": said.models} if is_list else said.defaults
            self._whole(404 if told is None else 200, json.dumps(told).encode(), {})

        def do_POST(self) -> None:
            self._remember()
            said.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            answer = said.answers[0] if len(said.answers) == 1 else said.answers.pop(0)
            if answer.body is not None:
                self._whole(answer.status, answer.body, answer.headers)
            else:
                self._stream(answer)

        def _remember(self) -> None:
            headers = {name.lower(): text for name, text in self.headers.items()}
            said.asked.append(Asked(self.command, self.path, headers))

        def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in answer.events:
                if event is STALLS:
                    self._stall()
                    return
                if event is BREAKS:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                if isinstance(event, float):
                    said.closing.wait(event)
                    continue
                data = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
                try:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                except OSError:
                    said.hung_up.set()
                    raise
            self.wfile.write(b"0\r\n\r\n")

        def _stall(self) -> None:
            self.close_connection = True
            self.connection.settimeout(0.05)
            while not said.closing.is_set():
                with suppress(TimeoutError):
                    try:
                        if self.connection.recv(1) == b"":
                            said.hung_up.set()
                            return
                    except ConnectionResetError:
                        said.hung_up.set()
                        return

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the method it replaces)
            pass

    return Handler
