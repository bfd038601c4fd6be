"""A webhook, receiver of records or sink of events: keeps every JSON body it is sent, and answers as it is told to."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any, Self


class Receiver:
    """`statuses`: what it answers first, one after the other; afterwards 200. `next` is the oldest unseen body."""

    def __init__(self, *statuses: int) -> None:
        self.tokens: list[str | None] = []  # of the header that shares a secret, one per body
        self.paths: list[str] = []
        self._received: Queue[Any] = Queue()
        answers = list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.tokens.append(self.headers.get("x-o11y-admin-token"))
                outer.paths.append(self.path)
                outer._received.put(json.loads(body))
                self.send_response(answers.pop(0) if answers else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self) -> Any:
        return self._received.get(timeout=30)

    @property
    def is_untouched(self) -> bool:
        """Whether everything it was sent has been looked at."""
        return self._received.empty()
