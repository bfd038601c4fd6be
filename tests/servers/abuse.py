"""An abuse service that says what a test tells it to, or nothing at all, and keeps what it was asked."""

import json
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread
from typing import Any

from vectors.upstream import Sent

CLASSIFY = "/base/api/classify"
COST = "/base/api/usage/cost"
HANG_S = 60


def verdict(request_id: object = 77, verdict: str = "ALLOW", **more: object) -> bytes:
    context = {"identity_key": "idk:1", "current_spend_1h": 0.5, "is_new_user": False, "requests_per_second": 1.5}
    said = {"verdict": verdict, "risk_score": 0.25, "signals": ["high_velocity"], "action_metadata": {}}
    return json.dumps({**said, "context": context, "request_id": request_id, **more}).encode()


class AbuseService:
    """`status`, `headers`, `said`: its answer to a classification. `hangs`: until `go_on` it says nothing at all."""

    def __init__(self, port: int = 0) -> None:
        self.classified: Queue[Sent] = Queue()
        self.reported: Queue[Sent] = Queue()
        self.going = Event()
        self.be_well()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                queue = {CLASSIFY: service.classified, COST: service.reported}[self.path]
                queue.put(Sent(self.path, headers, text))
                answer = service.status, service.headers, service.said
                if queue is service.reported:
                    answer = 200, {}, b'{"success":true}'
                service.going.wait(HANG_S)
                self._answer(*answer)

            def _answer(self, status: int, headers: Mapping[str, str], said: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
                pass

            def handle(self) -> None:
                with suppress(OSError):  # the gateway no longer waits
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/base"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def be_well(self) -> None:
        self.say(verdict())
        self.going.set()

    def say(self, said: bytes, status: int = 200, **headers: str) -> None:
        self.said, self.status, self.headers = said, status, headers

    def hang(self) -> None:
        self.going.clear()

    def asked(self) -> Any:
        """The oldest classification that nobody has looked at."""
        return self.classified.get(timeout=20).body

    def told(self) -> Any:
        """The same of cost reports."""
        return self.reported.get(timeout=20).body

    def close(self) -> None:
        self.going.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
