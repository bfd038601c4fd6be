"""An upstream that keeps what it was sent, byte for byte, and answers with one fixed completion."""

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

ANSWER = json.dumps(
    {
        "id": "gen-1",
        "model": "a/b",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 0.000001},
    }
).encode()


@dataclass(frozen=True)
class Sent:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    text: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Upstream:
    """`next` is the oldest request that nobody has looked at.

    `status`, `headers`, `answer`: of what it answers from now on. A GET is kept as well, with an empty text.
    """

    def __init__(self) -> None:
        self._sent: Queue[Sent] = Queue()
        self.be_well()
        sent, upstream = self._sent, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["content-length"])))

            def do_GET(self) -> None:
                self._answer(b"")

            def _answer(self, text: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                sent.put(Sent(self.path, headers, text))
                self.send_response(upstream.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(upstream.answer)))
                for name, value in upstream.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(upstream.answer)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def be_well(self) -> None:
        """Answer with the completion."""
        self.status, self.headers, self.answer = 200, dict[str, str](), ANSWER

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def next(self) -> Sent:
        return self._sent.get(timeout=10)

    @property
    def is_untouched(self) -> bool:
        """Whether everything it was sent has been looked at."""
        return self._sent.empty()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
