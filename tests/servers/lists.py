"""A gateway of the tests: it says what it is told to about its models, and remembers who asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class ListServer:
    """`answer` is (status, body) for every GET; `routes` are answers of single paths, taken one after another, the last
    one again and again. `drip_s` sends a byte at a time with that pause, `silence_s` waits before anything."""

    port: int = 0
    answer: tuple[int, bytes] = (200, b'{"data":[]}')
    headers: dict[str, str] = field(default_factory=dict)
    routes: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    drip_s: float = 0
    silence_s: float = 0
    asked: list[Asked] = field(default_factory=list)
    sent_bytes: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lists(self, *entries: dict[str, Any] | str) -> None:
        """From now on these are its models; a text is an entry with that id and nothing else."""
        listed = [{"id": one} if isinstance(one, str) else one for one in entries]
        self.answer = 200, json.dumps({"data": listed}).encode()

    def fails(self, status: int = 500) -> None:
        self.answer = status, b'{"error":{"message":"no"}}'

    def config(self, provider: str = "fastrouter", path: str = "/api/v1", **options: Any) -> dict[str, Any]:
        """A client's configuration in which this is where the provider is."""
        return {"provider": {provider: {"options": {"baseURL": self.url + path, **options}}}}


@contextmanager
def list_server() -> Iterator[ListServer]:
    said = ListServer()
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


def _handler(said: ListServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(OSError):  # whoever asked went away
                super().handle()

        def do_GET(self) -> None:
            said.asked.append(
                Asked(self.command, self.path, {name.lower(): text for name, text in self.headers.items()})
            )
            told = said.routes.get(self.path.partition("?")[0])
            status, body = said.answer if not told else told[0] if len(told) == 1 else told.pop(0)
            said.closing.wait(said.silence_s)
            try:
                self._answer(status, body)
            except OSError:
                self.close_connection = True

        do_POST = do_GET  # noqa: N815  (the name that the library calls)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, text in said.headers.items():
                self.send_header(name, text)
            self.end_headers()
            size = 1 if said.drip_s else MIB
            for start in range(0, len(body), size):
                self.wfile.write(body[start : start + size])
                said.sent_bytes += min(size, len(body) - start)
                if said.drip_s and said.closing.wait(said.drip_s):
                    return

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the method it replaces)
            pass

    return Handler
